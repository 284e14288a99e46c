import { Injectable } from '@nestjs/common';

/**
 * The answers that this process generates. Its own sweep must leave them alone, however old their leases are: after an
 * hour without a database the process that has the text is still the one to store it.
 */
@Injectable()
export class ActiveGenerations {
  private readonly ids = new Set<string>();

  add(answerId: string): void {
    this.ids.add(answerId);
  }

  delete(answerId: string): void {
    this.ids.delete(answerId);
  }

  all(): string[] {
    return [...this.ids];
  }
}
