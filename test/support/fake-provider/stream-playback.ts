import type { GatedAnswer } from './gated-answer.js';
import type { AnsweringBehavior } from './script.js';
import { conclude, type Ending, type Stage } from './stage.js';
import type { Frame, StreamFrames, ProviderProtocol } from './provider-protocol.js';

/** The frames to send, and the ending after them. */
interface StreamPlan {
  frames: readonly Frame[];
  ending: Ending;
}

/** Plays a behavior for a streamed request. */
export async function playStream(
  behavior: AnsweringBehavior,
  good: StreamFrames,
  stage: Stage,
): Promise<void> {
  const { reply, protocol, requestId } = stage;
  reply.head(200, {
    'content-type': protocol.streamType,
    'cache-control': 'no-cache',
    [protocol.requestIdHeader]: requestId,
  });
  if (behavior.kind === 'gated') return playGate(behavior, good, stage);
  if (behavior.kind === 'drip' && behavior.unit === 'byte') {
    reply.cutInto({ bytes: 1, gapMs: behavior.chunkMs });
  }
  const plan = planStream(behavior, good, protocol);
  const style = behavior.kind === 'commentsAndCrLf' ? 'awkward' : 'plain';
  const gapMs = gapOf(behavior);
  for (const [index, frame] of plan.frames.entries()) {
    if (index > 0 && gapMs > 0) await reply.pause(gapMs);
    await reply.write(protocol.encode(frame, style));
  }
  if (behavior.kind === 'silence' && behavior.pingEveryMs !== undefined) {
    await ping(behavior.pingEveryMs, stage);
  }
  await conclude(plan.ending, stage);
}

function planStream(
  behavior: Exclude<AnsweringBehavior, { kind: 'gated' }>,
  good: StreamFrames,
  protocol: ProviderProtocol,
): StreamPlan {
  const whole = [...good.opening, ...good.outputs, ...good.closing, ...good.terminator];
  const begun = (outputs: number): Frame[] => [...good.opening, ...good.outputs.slice(0, outputs)];
  switch (behavior.kind) {
    case 'answer':
    case 'emptyAnswer':
    case 'commentsAndCrLf':
    case 'drip':
      return { frames: whole, ending: 'end' };
    case 'missingDone':
      return { frames: [...begun(good.outputs.length), ...good.closing], ending: 'end' };
    case 'malformedChunk': {
      const place = begun(behavior.at).length;
      // Some protocols have no opening.
      const example = good.opening.at(-1) ?? whole[0];
      const broken = example === undefined ? [] : [breakFrame(example)];
      return { frames: whole.toSpliced(place, 0, ...broken), ending: 'end' };
    }
    case 'errorInStream':
      return {
        frames: [...begun(behavior.afterChunks), protocol.errorFrame(behavior.error)],
        ending: 'end',
      };
    case 'cut':
      return { frames: begun(behavior.afterChunks), ending: 'end' };
    case 'reset':
      return { frames: begun(behavior.afterChunks ?? 0), ending: 'reset' };
    case 'silence': {
      const outputs = behavior.afterChunks ?? 0;
      return { frames: outputs > 0 ? begun(outputs) : [], ending: 'stall' };
    }
  }
}

async function playGate(gate: GatedAnswer, good: StreamFrames, stage: Stage): Promise<void> {
  const { reply, protocol } = stage;
  const send = async (frames: readonly Frame[]): Promise<void> => {
    for (const frame of frames) await reply.write(protocol.encode(frame, 'plain'));
  };
  await send(good.opening);
  for (const [index, frame] of good.outputs.entries()) {
    if (!(await gate.mayPass(index, reply.signal))) break;
    await send([frame]);
  }
  const ending = await gate.ending(reply.signal);
  if (ending.how === 'finish') await send([...good.closing, ...good.terminator]);
  if (ending.how === 'fail') await send([protocol.errorFrame(ending.error)]);
  await conclude(ending.how === 'reset' ? 'reset' : 'end', stage);
}

function gapOf(behavior: Exclude<AnsweringBehavior, { kind: 'gated' }>): number {
  if (behavior.kind === 'drip' && behavior.unit !== 'byte') return behavior.chunkMs;
  return behavior.delayBetweenChunksMs ?? 0;
}

/** Returns the first half of a good frame. */
function breakFrame(frame: Frame): Frame {
  return { ...frame, data: frame.data.slice(0, frame.data.length / 2) };
}

async function ping(everyMs: number, { reply, protocol }: Stage): Promise<void> {
  for (;;) {
    await reply.pause(everyMs);
    await reply.write(protocol.ping);
  }
}
