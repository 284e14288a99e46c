import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';

/** Usage of models by one request, for its log line: the sum of all attempts, and the model of the latest. */
export class RequestUsage {
  model: string | undefined;
  inputTokens = 0;
  outputTokens = 0;
  costMicroUsd = 0n;
  /** Number of attempts without a known price, which the cost does not include. */
  unpriced = 0;
}

const current = new AsyncLocalStorage<RequestUsage>();

/** A WeakMap instead of a property of the request, so that nothing a client sends can be mistaken for it. */
const usages = new WeakMap<IncomingMessage, RequestUsage>();

/**
 * Runs the rest of a request so that its usage of models is attributed to it, wherever the model is called.
 * Must run after the body is parsed, whose events may come from outside of the request.
 */
export function trackRequestUsage(request: IncomingMessage, _response: unknown, next: () => void): void {
  const usage = new RequestUsage();
  usages.set(request, usage);
  current.run(usage, next);
}

/** Returns the usage of the current request; undefined outside of a request, for instance in a job. */
export function currentRequestUsage(): RequestUsage | undefined {
  return current.getStore();
}

/** Returns the usage of a request so far; undefined if it has not used a model. */
export function requestUsageOf(request: IncomingMessage): RequestUsage | undefined {
  const usage = usages.get(request);
  return usage?.model === undefined ? undefined : usage;
}
