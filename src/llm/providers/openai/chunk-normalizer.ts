import { newId } from '../../../common/ids.js';
import { type ChatChunk, getField, getStringField, parseReplyCount } from '../../port/index.js';
import { isCanonicalChunk, isObject } from './canonical-chunk.js';
import { ChoiceNormalizer, type ChunkChoice, omitFields } from './choice-normalizer.js';
import { readUsage, toIndex } from './reply-parts.js';

/** A chunk and its JSON text: the original, or a rewritten one. */
export interface NormalizedChunk {
  readonly chunk: ChatChunk;
  readonly raw: string;
}

/** Metadata of an answer that some hosts omit. */
export interface AnswerMetadata {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
}

/** Creates the metadata of an answer whose host sends none. */
export function newAnswerMetadata(model: string): AnswerMetadata {
  return { id: `chatcmpl-${newId()}`, created: Math.floor(Date.now() / 1000), model };
}

/** Fields of a chunk that are rewritten. */
const READ = new Set(['id', 'object', 'created', 'model', 'choices', 'usage']);

/**
 * Converts the chunks of one stream to the canonical format, so that the layers above can trust its types. A
 * canonical chunk is passed on as its original text; only others are rewritten.
 */
export class ChunkNormalizer {
  private readonly choices = new Map<number, ChoiceNormalizer>();
  /** The metadata of the latest chunk, or its initial value. Supplies the fields that later chunks lack. */
  private head: AnswerMetadata;

  /** @param head metadata for chunks that have no id, time or model of their own */
  constructor(head: AnswerMetadata) {
    this.head = head;
  }

  /** True if the answer is complete: there is at least one choice, and each has a finish reason. */
  get complete(): boolean {
    return this.choices.size > 0 && this.choices.values().every(({ finished }) => finished);
  }

  /** True if tool calls had to be dropped. */
  get hasNamelessCalls(): boolean {
    return this.choices.values().some(({ hasNamelessCalls }) => hasNamelessCalls);
  }

  /**
   * Converts a value to a chunk in the canonical format; undefined if it is not a chunk.
   * @param raw the JSON text of the value
   * @throws ProviderError if a choice reports a failure
   */
  normalize(value: object, raw: string): NormalizedChunk | undefined {
    if (isCanonicalChunk(value) && value.choices.every((choice) => this.accepts(choice))) {
      for (const choice of value.choices) this.choiceAt(choice.index).note(choice);
      this.head = value;
      return { chunk: value, raw };
    }
    const chunk = this.rewrite(value);
    return chunk && { chunk, raw: JSON.stringify(chunk) };
  }

  /**
   * Returns the final chunk that a host omits if it never sends a finish reason, or only an empty string. Call
   * it once the stream has ended with its end marker. Returns undefined for every other host.
   */
  missingFinalChunk(): NormalizedChunk | undefined {
    const open = [...this.choices].filter(([, choice]) => !choice.finished);
    // A host that sent the reason of another choice has broken this one off.
    const isUsual =
      open.length === this.choices.size || open.every(([, { hasEmptyReason }]) => hasEmptyReason);
    if (open.length === 0 || !isUsual) return undefined;
    if (!open.every(([, { endsInSilence }]) => endsInSilence)) return undefined;
    const choices = open.map(([index, choice]) =>
      choice.rewrite({ finish_reason: choice.impliedReason }, index),
    );
    const { id, created, model } = this.head;
    const chunk = { id, created, model, object: 'chat.completion.chunk' as const, choices };
    return { chunk, raw: JSON.stringify(chunk) };
  }

  private accepts(choice: ChunkChoice): boolean {
    return this.choices.get(choice.index)?.accepts(choice) ?? new ChoiceNormalizer().accepts(choice);
  }

  private choiceAt(index: number): ChoiceNormalizer {
    const known = this.choices.get(index);
    if (known !== undefined) return known;
    const choice = new ChoiceNormalizer();
    this.choices.set(index, choice);
    return choice;
  }

  private rewrite(value: object): ChatChunk | undefined {
    const given = getField(value, 'choices');
    const entries = (Array.isArray(given) ? given : [given]).filter(isObject);
    const usage = readChunkUsage(value, entries);
    if (!Array.isArray(given) && entries.length === 0 && usage === undefined) return undefined;
    if (Array.isArray(given) && given.length > 0 && entries.length === 0) return undefined;
    const choices = entries.map((entry, position) => {
      const index = toIndex(getField(entry, 'index')) ?? position;
      return this.choiceAt(index).rewrite(entry, index);
    });
    this.head = readAnswerMetadata(value, this.head);
    return {
      ...omitFields(value, READ),
      ...this.head,
      object: 'chat.completion.chunk',
      choices,
      ...(usage && { usage }),
    };
  }
}

/** Returns the metadata of an answer or chunk, with missing fields taken from `otherwise`. */
export function readAnswerMetadata(value: object, otherwise: AnswerMetadata): AnswerMetadata {
  return {
    id: nonEmpty(value, 'id') ?? otherwise.id,
    created: parseReplyCount(getField(value, 'created')) ?? otherwise.created,
    model: nonEmpty(value, 'model') ?? otherwise.model,
  };
}

function nonEmpty(value: object, name: string): string | undefined {
  const text = getStringField(value, name);
  return text === '' ? undefined : text;
}

/** Returns the usage, wherever a host puts it: Groq in `x_groq`, Moonshot beside the last delta. */
export function readChunkUsage(value: object, choices: readonly object[]): ChatChunk['usage'] {
  const places = [
    getField(value, 'usage'),
    getField(getField(value, 'x_groq'), 'usage'),
    ...choices.map((choice) => getField(choice, 'usage')),
  ];
  return places.map(readUsage).find((usage) => usage !== undefined);
}
