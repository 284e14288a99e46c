import { newId } from '../../../common/ids.js';
import { type ChatChunk, fieldOf, textField, toCount } from '../../port/index.js';
import { isCanonicalChunk, isObject } from './canonical-chunk.js';
import { ChoiceNormaliser, type ChunkChoice, without } from './choice-normaliser.js';
import { readUsage, toIndex } from './reply-parts.js';

/** A chunk, and its JSON: as it came, or written anew. */
export interface NormalisedChunk {
  readonly chunk: ChatChunk;
  readonly raw: string;
}

/** What an answer has that some hosts leave out. */
export interface AnswerHead {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
}

/** Returns the head of an answer of a model whose host gives it none. */
export function newHead(model: string): AnswerHead {
  return { id: `chatcmpl-${newId()}`, created: Math.floor(Date.now() / 1000), model };
}

/** Fields of a chunk that are written anew. */
const READ = new Set(['id', 'object', 'created', 'model', 'choices', 'usage']);

/**
 * Brings the chunks of one stream into the canonical format, so that nobody above has to doubt a type. A chunk that is
 * canonical is passed on with the text in which it came; only others are written anew.
 */
export class ChunkNormaliser {
  private readonly choices = new Map<number, ChoiceNormaliser>();
  /** The last chunk that was passed on, or what stands for it: others get from it what they lack. */
  private head: AnswerHead;

  /** @param head what chunks get that have no id, time or model of their own */
  constructor(head: AnswerHead) {
    this.head = head;
  }

  /** Whether the answer is whole: there is a choice, and each has a finish reason. */
  get complete(): boolean {
    return this.choices.size > 0 && this.choices.values().every(({ finished }) => finished);
  }

  /** Whether tool calls had to be left out. */
  get hasNamelessCalls(): boolean {
    return this.choices.values().some(({ hasNamelessCalls }) => hasNamelessCalls);
  }

  /**
   * Returns the chunk in the canonical format; undefined if the value is no chunk.
   * @param raw the JSON text of the value
   * @throws ProviderError where a choice failed
   */
  normalise(value: object, raw: string): NormalisedChunk | undefined {
    if (isCanonicalChunk(value) && value.choices.every((choice) => this.accepts(choice))) {
      for (const choice of value.choices) this.choiceAt(choice.index).note(choice);
      this.head = value;
      return { chunk: value, raw };
    }
    const chunk = this.rewrite(value);
    return chunk && { chunk, raw: JSON.stringify(chunk) };
  }

  /**
   * Returns the chunk that a host owes which never gives a reason for the end but an empty text, once its stream has
   * ended as it should; undefined for every other.
   */
  missingEnd(): NormalisedChunk | undefined {
    const open = [...this.choices].filter(([, choice]) => !choice.finished);
    if (open.length === 0 || !open.every(([, { endsInSilence }]) => endsInSilence)) return undefined;
    const choices = open.map(([index, choice]) => choice.rewrite({ finish_reason: 'stop' }, index));
    const { id, created, model } = this.head;
    const chunk = { id, created, model, object: 'chat.completion.chunk' as const, choices };
    return { chunk, raw: JSON.stringify(chunk) };
  }

  private accepts(choice: ChunkChoice): boolean {
    return this.choices.get(choice.index)?.accepts(choice) ?? new ChoiceNormaliser().accepts(choice);
  }

  private choiceAt(index: number): ChoiceNormaliser {
    const known = this.choices.get(index);
    if (known !== undefined) return known;
    const choice = new ChoiceNormaliser();
    this.choices.set(index, choice);
    return choice;
  }

  private rewrite(value: object): ChatChunk | undefined {
    const given = fieldOf(value, 'choices');
    const entries = (Array.isArray(given) ? given : [given]).filter(isObject);
    const usage = usageOf(value, entries);
    if (!Array.isArray(given) && entries.length === 0 && usage === undefined) return undefined;
    if (Array.isArray(given) && given.length > 0 && entries.length === 0) return undefined;
    const choices = entries.map((entry, position) => {
      const index = toIndex(fieldOf(entry, 'index')) ?? position;
      return this.choiceAt(index).rewrite(entry, index);
    });
    this.head = headOf(value, this.head);
    return {
      ...without(value, READ),
      ...this.head,
      object: 'chat.completion.chunk',
      choices,
      ...(usage && { usage }),
    };
  }
}

/** Returns the head of an answer or chunk, with what it lacks from another. */
export function headOf(value: object, otherwise: AnswerHead): AnswerHead {
  return {
    id: nonEmpty(value, 'id') ?? otherwise.id,
    created: toCount(fieldOf(value, 'created')) ?? otherwise.created,
    model: nonEmpty(value, 'model') ?? otherwise.model,
  };
}

function nonEmpty(value: object, name: string): string | undefined {
  const text = textField(value, name);
  return text === '' ? undefined : text;
}

/** Returns the usage, wherever a host puts it: Groq in `x_groq`, Moonshot beside the last delta. */
export function usageOf(value: object, choices: readonly object[]): ChatChunk['usage'] {
  const places = [
    fieldOf(value, 'usage'),
    fieldOf(fieldOf(value, 'x_groq'), 'usage'),
    ...choices.map((choice) => fieldOf(choice, 'usage')),
  ];
  return places.map(readUsage).find((usage) => usage !== undefined);
}
