import { Injectable } from '@nestjs/common';
import { TransientSet } from '../../../common/transient-set.js';
import type { Turn } from '../model/turn.js';
import type { AnswerStream } from '../streams/answer-stream.js';

/** A turn whose answer this process generates. */
export interface ActiveGeneration {
  readonly turn: Turn;
  /** The answer, for its followers. */
  readonly answer: AnswerStream;
  /** Ends the model call; the text so far is stored, as stopped if the user requested it. */
  abort(options?: { readonly stopped: boolean }): void;
  /** Resolves when the answer is stored; never rejects. */
  readonly done: Promise<void>;
}

/**
 * The answers that this process generates. Its own recovery sweep must not touch them, however old their leases are:
 * even after an hour without a database, the process that has the text must store it.
 */
@Injectable()
export class ActiveGenerations {
  private readonly running = new TransientSet<ActiveGeneration>();

  /** Number of answers that are being generated. */
  get size(): number {
    return this.running.size;
  }

  /** Adds a generation until its answer is stored. */
  add(generation: ActiveGeneration): void {
    void generation.done.then(this.running.add(generation));
  }

  /** Returns the ids of the answers. */
  ids(): string[] {
    return Array.from(this.running, ({ turn }) => turn.answerId);
  }

  /** Returns the answer if this process generates it. */
  findAnswer(answerId: string): AnswerStream | undefined {
    return this.find(answerId)?.answer;
  }

  /**
   * Stops an answer at its user's request and stores the text so far. Resolves once the model call is closed and the
   * answer stored.
   * @returns false if this process does not generate it
   */
  async stopAnswer(answerId: string): Promise<boolean> {
    const generation = this.find(answerId);
    if (generation === undefined) return false;
    generation.abort({ stopped: true });
    await generation.done;
    return true;
  }

  /** Stores the answers of matching turns as interrupted. Resolves once each is stored. */
  async interrupt(matches: (turn: Turn) => boolean): Promise<void> {
    const chosen = [...this.running].filter(({ turn }) => matches(turn));
    for (const generation of chosen) generation.abort();
    await Promise.all(chosen.map(({ done }) => done));
  }

  /**
   * Waits at most `graceMs` for running answers, then stores the rest as interrupted. Resolves once none is running.
   */
  async drain(graceMs: number): Promise<void> {
    const timer = setTimeout(() => void this.interrupt(() => true), graceMs);
    while (this.running.size > 0) await Promise.all(Array.from(this.running, ({ done }) => done));
    clearTimeout(timer);
  }

  private find(answerId: string): ActiveGeneration | undefined {
    for (const generation of this.running) if (generation.turn.answerId === answerId) return generation;
    return undefined;
  }
}
