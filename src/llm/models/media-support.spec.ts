import { describe, expect, it } from '@jest/globals';
import { MediaSupport } from './media-support.js';
import type { ResolvedModel } from './model-directory.js';
import {
  type ListedModel,
  type MediaKind,
  ModelProvider,
  ProviderError,
  type ProviderEvent,
  type CapabilityQuery,
} from '../port/index.js';

class AskedProvider extends ModelProvider {
  override readonly protocol = 'ollama';
  override readonly id = 'host';
  away = false;
  asked = 0;

  override stream(): AsyncIterable<ProviderEvent> {
    throw new Error('not asked here');
  }

  override listModels(): Promise<readonly ListedModel[]> {
    throw new Error('not asked here');
  }

  override supportsMedia(kind: MediaKind, { model }: CapabilityQuery): Promise<boolean> {
    this.asked += 1;
    if (this.away) return Promise.reject(new ProviderError('unavailable', 'away'));
    return Promise.resolve(kind === 'image' && model === 'seeing');
  }
}

const image: ReadonlySet<MediaKind> = new Set(['image']);

function setUp() {
  const source = new AskedProvider();
  const modelOf = (model: string): ResolvedModel => ({
    modelProvider: source,
    provider: source.id,
    model,
    name: `${source.id}/${model}`,
  });
  const clock = { now: 1 };
  const readers = new MediaSupport(() => clock.now);
  const among = async (models: readonly string[], kinds = image, key?: string): Promise<string[]> => {
    const chain = await readers.modelsSupporting(models.map(modelOf), kinds, () => Promise.resolve(key));
    return chain.map(({ model }) => model);
  };
  return { source, clock, among };
}

describe('MediaSupport', () => {
  it('asks a provider once in five minutes', async () => {
    const { source, clock, among } = setUp();
    expect(await among(['blind', 'seeing'])).toEqual(['seeing']);
    clock.now += 300_000;
    expect(await among(['blind', 'seeing'])).toEqual(['seeing']);
    expect(source.asked).toBe(2);
    clock.now += 1;
    expect(await among(['blind', 'seeing'])).toEqual(['seeing']);
    expect(source.asked).toBe(4);
  });

  it('treats a failed query as supported, and asks again after five seconds', async () => {
    const { source, clock, among } = setUp();
    source.away = true;
    expect(await among(['blind'])).toEqual(['blind']);
    source.away = false;
    clock.now += 5_000;
    expect(await among(['blind'])).toEqual(['blind']);
    expect(source.asked).toBe(1);
    clock.now += 1;
    expect(await among(['blind'])).toEqual([]);
    expect(source.asked).toBe(2);
  });

  it('shares one request among concurrent callers', async () => {
    const { source, among } = setUp();
    await Promise.all(Array.from({ length: 5 }, () => among(['seeing'])));
    expect(source.asked).toBe(1);
  });

  it('caches the answers for each kind and each key separately', async () => {
    const { source, among } = setUp();
    await among(['seeing'], new Set(['image', 'pdf']));
    expect(source.asked).toBe(2);
    await among(['seeing'], image, 'a key');
    await among(['seeing'], image, 'another key');
    expect(source.asked).toBe(4);
    await among(['seeing'], image, 'a key');
    expect(source.asked).toBe(4);
  });

  it('caches a thousand answers and evicts the least recently used', async () => {
    const { source, among } = setUp();
    await among(Array.from({ length: 1_001 }, (_, index) => `model-${String(index)}`));
    await among(['model-1000']);
    expect(source.asked).toBe(1_001);
    await among(['model-0']);
    expect(source.asked).toBe(1_002);
  });
});
