/** Tells the time, in milliseconds since the epoch. Tests bring their own. */
export class Clock {
  now(): number {
    return Date.now();
  }
}
