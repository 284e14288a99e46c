import { DAY_MS } from '../../../common/durations.js';

/** Maximum number of webhooks of an account. */
export const MAX_WEBHOOKS = 10;

/** Maximum number of characters of a URL. */
export const MAX_URL_LENGTH = 2_048;

/** Time for which the secret before a rotation signs deliveries too, in milliseconds. */
export const PREVIOUS_SECRET_MS = DAY_MS;

/** States of a delivery. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;

/** State of a delivery. */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** Codes of failures, with their meaning. The codes are part of the API: their meaning does not change. */
export const DELIVERY_ERRORS = {
  name_not_resolved: 'the name of the host has no address',
  address_refused: 'the host has an address that is not public, or needs https',
  connection_failed: 'no connection, or one that broke before the response',
  tls_failed: 'no valid certificate, or another failure of TLS',
  timeout: 'no response within 10 seconds',
  invalid_response: 'a response that is no HTTP',
  redirected: 'a redirect, which is not followed',
  rejected: 'another status than 2xx',
  gone: 'status 410, which disables the webhook',
  secret_unreadable: 'the secret cannot be decrypted; rotate it',
  interrupted: 'the server ended during the last attempt',
  expired: '24 hours have passed, or the webhook was disabled',
} as const;

/** Code of a failure of a delivery. */
export type DeliveryError = keyof typeof DELIVERY_ERRORS;

/** Returns the code of a stored failure; undefined if a newer version stored it. */
export function toDeliveryError(text: string | null): DeliveryError | undefined {
  return DELIVERY_ERROR_CODES.find((code) => code === text);
}

/** All codes of failures. */
export const DELIVERY_ERROR_CODES = Object.keys(DELIVERY_ERRORS).filter(isDeliveryError);

function isDeliveryError(text: string): text is DeliveryError {
  return text in DELIVERY_ERRORS;
}
