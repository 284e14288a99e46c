/** Tells the parts of a process that it is going to stop, while it still serves requests. */
export class ShutdownState {
  private requested = false;

  /** True from the first request to stop. */
  get isRequested(): boolean {
    return this.requested;
  }

  request(): void {
    this.requested = true;
  }
}
