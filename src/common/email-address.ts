/**
 * Returns the form in which email addresses are stored and compared: NFKC, so that full-width and decomposed letters
 * equal plain ones, and lower case, because mail providers ignore case. Normalizing twice changes nothing.
 */
export function normalizeEmail(email: string): string {
  return email.normalize('NFKC').toLowerCase().normalize('NFKC');
}

/**
 * Returns the forms under which an account with this address may be stored, the preferred one first. Accounts whose
 * address collided with another one when addresses were first normalized kept theirs in lower case only.
 */
export function storedEmailForms(email: string): string[] {
  return [...new Set([email.toLowerCase(), normalizeEmail(email)])];
}
