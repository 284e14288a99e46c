/** Prints a line for the operator. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}
