import type { GatedAnswer } from './gated-answer.js';
import type { AnsweringBehaviour } from './script.js';
import { conclude, type Ending, type Stage } from './stage.js';
import type { Frame, StreamFrames, Wire } from './wire.js';

/** The frames to send, and the ending after them. */
interface StreamPlan {
  frames: readonly Frame[];
  ending: Ending;
}

/** Plays a behaviour for a streamed request. */
export async function playStream(
  behaviour: AnsweringBehaviour,
  good: StreamFrames,
  stage: Stage,
): Promise<void> {
  const { reply, wire, requestId } = stage;
  reply.head(200, {
    'content-type': wire.streamType,
    'cache-control': 'no-cache',
    [wire.requestIdHeader]: requestId,
  });
  if (behaviour.kind === 'gated') return playGate(behaviour, good, stage);
  if (behaviour.kind === 'drip' && behaviour.unit === 'byte') {
    reply.cutInto({ bytes: 1, gapMs: behaviour.chunkMs });
  }
  const plan = planStream(behaviour, good, wire);
  const style = behaviour.kind === 'commentsAndCrLf' ? 'awkward' : 'plain';
  const gapMs = gapOf(behaviour);
  for (const [index, frame] of plan.frames.entries()) {
    if (index > 0 && gapMs > 0) await reply.pause(gapMs);
    await reply.write(wire.encode(frame, style));
  }
  if (behaviour.kind === 'silence' && behaviour.pingEveryMs !== undefined) {
    await ping(behaviour.pingEveryMs, stage);
  }
  await conclude(plan.ending, stage);
}

function planStream(
  behaviour: Exclude<AnsweringBehaviour, { kind: 'gated' }>,
  good: StreamFrames,
  wire: Wire,
): StreamPlan {
  const whole = [...good.opening, ...good.outputs, ...good.closing, ...good.terminator];
  const begun = (outputs: number): Frame[] => [...good.opening, ...good.outputs.slice(0, outputs)];
  switch (behaviour.kind) {
    case 'answer':
    case 'emptyAnswer':
    case 'commentsAndCrLf':
    case 'drip':
      return { frames: whole, ending: 'end' };
    case 'missingDone':
      return { frames: [...begun(good.outputs.length), ...good.closing], ending: 'end' };
    case 'malformedChunk': {
      const place = begun(behaviour.at).length;
      // Some protocols have no opening.
      const example = good.opening.at(-1) ?? whole[0];
      const broken = example === undefined ? [] : [breakFrame(example)];
      return { frames: whole.toSpliced(place, 0, ...broken), ending: 'end' };
    }
    case 'errorInStream':
      return { frames: [...begun(behaviour.afterChunks), wire.errorFrame(behaviour.error)], ending: 'end' };
    case 'cut':
      return { frames: begun(behaviour.afterChunks), ending: 'end' };
    case 'reset':
      return { frames: begun(behaviour.afterChunks ?? 0), ending: 'reset' };
    case 'silence': {
      const outputs = behaviour.afterChunks ?? 0;
      return { frames: outputs > 0 ? begun(outputs) : [], ending: 'stall' };
    }
  }
}

async function playGate(gate: GatedAnswer, good: StreamFrames, stage: Stage): Promise<void> {
  const { reply, wire } = stage;
  const send = async (frames: readonly Frame[]): Promise<void> => {
    for (const frame of frames) await reply.write(wire.encode(frame, 'plain'));
  };
  await send(good.opening);
  for (const [index, frame] of good.outputs.entries()) {
    if (!(await gate.mayPass(index, reply.signal))) break;
    await send([frame]);
  }
  const ending = await gate.ending(reply.signal);
  if (ending.how === 'finish') await send([...good.closing, ...good.terminator]);
  if (ending.how === 'fail') await send([wire.errorFrame(ending.error)]);
  await conclude(ending.how === 'reset' ? 'reset' : 'end', stage);
}

function gapOf(behaviour: Exclude<AnsweringBehaviour, { kind: 'gated' }>): number {
  if (behaviour.kind === 'drip' && behaviour.unit !== 'byte') return behaviour.chunkMs;
  return behaviour.delayBetweenChunksMs ?? 0;
}

/** Returns the first half of a good frame. */
function breakFrame(frame: Frame): Frame {
  return { ...frame, data: frame.data.slice(0, frame.data.length / 2) };
}

async function ping(everyMs: number, { reply, wire }: Stage): Promise<void> {
  for (;;) {
    await reply.pause(everyMs);
    await reply.write(wire.ping);
  }
}
