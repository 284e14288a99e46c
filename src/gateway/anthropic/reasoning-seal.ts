import { type ModelIdentity, type ProviderData, readReturnedFields } from '../../llm/index.js';

/** Prefix of each seal. A signature of Anthropic's is base64, which contains no full stop. */
const MARK = 'parley.';

/**
 * The origin of reasoning that a provider with another API format wrote. It is sent as the signature of a
 * thinking block, or as the data of a redacted one, which clients return unchanged, so that the reasoning is
 * returned only to its provider.
 */
export interface ReasoningSeal {
  readonly provider: string;
  /** The provider's own name of the model. */
  readonly model: string;
  /** In a thinking block: the field that contained its text. */
  readonly field?: string;
  /** In a redacted block: the data of the answer that only the provider understands. */
  readonly blocks?: unknown;
}

/** The fields of a message block that may contain a seal. */
interface SealedBlock {
  readonly type: string;
  readonly signature?: unknown;
  readonly data?: unknown;
  readonly thinking?: unknown;
}

export function writeSeal(seal: ReasoningSeal): string {
  return MARK + Buffer.from(JSON.stringify(seal)).toString('base64url');
}

/**
 * Reads a seal. The client may have changed it: returns undefined for anything that `writeSeal` did not write.
 */
export function readSeal(text: string): ReasoningSeal | undefined {
  if (!text.startsWith(MARK)) return undefined;
  try {
    const seal: unknown = JSON.parse(Buffer.from(text.slice(MARK.length), 'base64url').toString());
    return isSeal(seal) ? seal : undefined;
  } catch {
    return undefined;
  }
}

/** Returns true for blocks that providers with other API formats wrote, which Anthropic refuses. */
export function isForeignReasoning(block: SealedBlock): boolean {
  const { signature, data } = block;
  if (block.type === 'thinking') return signature === '' || isMarked(signature);
  return block.type === 'redacted_thinking' && isMarked(data);
}

/**
 * Converts the sealed blocks of an answer to data for the provider that wrote it; undefined if there are none.
 */
export function readSealedData(content: readonly SealedBlock[]): ProviderData | undefined {
  let origin: ReasoningSeal | undefined;
  const texts: Record<string, string> = {};
  let blocks: unknown;
  for (const block of content) {
    const { signature, data, thinking } = block;
    const text =
      block.type === 'thinking' ? signature : block.type === 'redacted_thinking' ? data : undefined;
    const seal = typeof text === 'string' ? readSeal(text) : undefined;
    if (seal === undefined) continue;
    origin ??= seal;
    if (seal.field !== undefined && typeof thinking === 'string') {
      texts[seal.field] = (texts[seal.field] ?? '') + thinking;
    }
    blocks ??= seal.blocks;
  }
  if (origin === undefined) return undefined;
  const { provider, model } = origin;
  return { provider, blocks: { ...texts, model, ...Object(blocks) } };
}

/** Seals the data of an answer beyond its reasoning text; undefined if there is none. */
export function sealProviderData(
  { provider, model }: ModelIdentity,
  data: ProviderData | undefined,
): string | undefined {
  if (data === undefined) return undefined;
  const fields = readReturnedFields(data);
  if (fields === undefined) return writeSeal({ provider, model, blocks: data.blocks });
  const { reasoning_details, call_extras } = fields;
  if (reasoning_details === undefined && call_extras === undefined) return undefined;
  return writeSeal({ provider, model, blocks: { reasoning_details, call_extras } });
}

function isMarked(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith(MARK);
}

function isSeal(value: unknown): value is ReasoningSeal {
  if (typeof value !== 'object' || value === null) return false;
  const { provider, model, field }: { provider?: unknown; model?: unknown; field?: unknown } = value;
  const known = field === undefined || field === 'reasoning_content' || field === 'reasoning';
  return typeof provider === 'string' && typeof model === 'string' && known;
}
