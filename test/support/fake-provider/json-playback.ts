import type { GateEnding } from './gated-answer.js';
import type { AnsweringBehavior } from './script.js';
import { conclude, jsonHeaders, type Ending, type Stage } from './stage.js';
import { parseJson } from './unknown-value.js';
import type { JsonReply, ProviderProtocol } from './provider-protocol.js';

/** Number of pieces of a dripped body. */
const DRIPS_PER_BODY = 8;

/**
 * The part of a body to send. Only a complete one has a content length, so that a truncated one ends like a
 * proper one.
 */
interface JsonPlan {
  body: string;
  complete: boolean;
  ending: Ending;
}

/** Plays a behavior for a request that expects one JSON body. */
export async function playJson(behavior: AnsweringBehavior, good: JsonReply, stage: Stage): Promise<void> {
  const { reply, protocol } = stage;
  const plan =
    behavior.kind === 'gated'
      ? planGate(await behavior.ending(reply.signal), good.body, protocol)
      : planJson(behavior, good.body, protocol);
  if (behavior.kind === 'drip') {
    const bytes = behavior.unit === 'byte' ? 1 : Math.ceil(Buffer.byteLength(plan.body) / DRIPS_PER_BODY);
    reply.cutInto({ bytes, gapMs: behavior.chunkMs });
  }
  reply.head(good.status, jsonHeaders(stage, plan.complete ? plan.body : undefined));
  await reply.write(plan.body);
  await conclude(plan.ending, stage);
}

function planJson(
  behavior: Exclude<AnsweringBehavior, { kind: 'gated' }>,
  good: string,
  protocol: ProviderProtocol,
): JsonPlan {
  switch (behavior.kind) {
    case 'answer':
    case 'emptyAnswer':
    case 'missingDone':
    case 'drip':
      return complete(good);
    case 'commentsAndCrLf':
      return complete(`\r\n\r\n${JSON.stringify(parseJson(good), null, 2).replaceAll('\n', '\r\n')}\r\n`);
    case 'malformedChunk':
      return complete(`${half(good)}<broken>`);
    case 'errorInStream':
      return complete(protocol.errorBody(behavior.error));
    case 'cut':
      return broken(half(good), 'end');
    case 'reset':
      return broken(half(good), 'reset');
    case 'silence':
      return broken((behavior.afterChunks ?? 0) > 0 ? half(good) : '', 'stall');
  }
}

function planGate(ending: GateEnding, good: string, protocol: ProviderProtocol): JsonPlan {
  switch (ending.how) {
    case 'finish':
      return complete(good);
    case 'fail':
      return complete(protocol.errorBody(ending.error));
    case 'cut':
      return broken(half(good), 'end');
    case 'reset':
      return broken(half(good), 'reset');
  }
}

function complete(body: string): JsonPlan {
  return { body, complete: true, ending: 'end' };
}

function broken(body: string, ending: Ending): JsonPlan {
  return { body, complete: false, ending };
}

function half(body: string): string {
  return body.slice(0, body.length / 2);
}
