import { describe, expect, it } from '@jest/globals';
import { ModelDirectory } from './model-directory.js';
import { type ListedModel, ModelProvider, ProviderError, type ProviderEvent } from '../port/index.js';

class ListedProvider extends ModelProvider {
  override readonly protocol = 'demo';
  asked = 0;

  constructor(
    override readonly id: string,
    private readonly list: readonly (string | ListedModel)[] | undefined,
  ) {
    super();
  }

  override stream(): AsyncIterable<ProviderEvent> {
    throw new Error('not asked here');
  }

  override listModels(): Promise<readonly ListedModel[]> {
    this.asked += 1;
    return this.list === undefined
      ? Promise.reject(new ProviderError('unavailable', 'away'))
      : Promise.resolve(this.list.map((model) => (typeof model === 'string' ? { id: model } : model)));
  }
}

class SilentProvider extends ListedProvider {
  override listModels(): Promise<readonly ListedModel[]> {
    return new Promise(() => undefined);
  }
}

const first = () => new ListedProvider('first', ['a', 'shared', 'org/model']);
const second = () => new ListedProvider('second', ['b', 'shared']);
const nameOf = async (directory: ModelDirectory, name?: string) => (await directory.resolve(name)).name;

describe('ModelDirectory', () => {
  it('resolves provider/model without requesting a list', async () => {
    const provider = first();
    expect(await nameOf(new ModelDirectory([provider], undefined), 'first/unlisted/model')).toBe(
      'first/unlisted/model',
    );
    expect(provider.asked).toBe(0);
  });

  it('looks up a bare name in the order of the providers, even one that contains a slash', async () => {
    const directory = new ModelDirectory([first(), second()], undefined);
    expect(await nameOf(directory, 'b')).toBe('second/b');
    expect(await nameOf(directory, 'shared')).toBe('first/shared');
    expect(await nameOf(directory, 'org/model')).toBe('first/org/model');
  });

  it('lists the existing models for an unknown name', async () => {
    const directory = new ModelDirectory([first(), second()], undefined);
    await expect(directory.resolve('nothing')).rejects.toMatchObject({
      code: 'model_not_found',
      param: 'model',
      message:
        "There is no model 'nothing'. Available models: first/a, first/shared, first/org/model, second/b, second/shared.",
    });
  });

  it('leaves the decision to a provider whose list cannot be read', async () => {
    const directory = new ModelDirectory([new ListedProvider('away', undefined), second()], undefined);
    expect(await nameOf(directory, 'b')).toBe('second/b');
    expect(await nameOf(directory, 'nothing')).toBe('away/nothing');
    expect(await directory.names()).toEqual(['second/b', 'second/shared']);
    expect(await directory.health()).toEqual([
      { id: 'away', status: 'unavailable', models: 0 },
      { id: 'second', status: 'ok', models: 2 },
    ]);
  });

  it('uses the configured default, else the first model of the first provider, and never one of a later provider', async () => {
    expect(await nameOf(new ModelDirectory([first(), second()], 'b'))).toBe('second/b');
    expect(await nameOf(new ModelDirectory([first(), second()], undefined))).toBe('first/a');
    const away = new ModelDirectory([new ListedProvider('away', undefined), second()], undefined);
    await expect(away.resolve(undefined)).rejects.toMatchObject({ code: 'provider_unavailable' });
  });

  it('skips models that do not chat for the default, but prefers one with a suspicious name to none', async () => {
    const firstOf = (...models: string[]) =>
      nameOf(new ModelDirectory([new ListedProvider('p', models)], undefined));
    expect(await firstOf('text-embedding-3-small', 'whisper-1', 'gpt-4.1-mini')).toBe('p/gpt-4.1-mini');
    expect(await firstOf('meta-llama/Llama-3.1-8B-Instruct')).toBe('p/meta-llama/Llama-3.1-8B-Instruct');
    expect(await firstOf('my-audio-model')).toBe('p/my-audio-model');
  });

  it('requests a list once', async () => {
    const provider = first();
    const directory = new ModelDirectory([provider], undefined);
    await Promise.all([directory.resolve('a'), directory.resolve('a'), directory.names()]);
    expect(provider.asked).toBe(1);
  });

  it('returns the context window from a list, also for a name without a tag, and does not wait long for a list', async () => {
    const provider = new ListedProvider('p', [{ id: 'a:latest', contextWindow: 4096 }, 'b']);
    const silent = new SilentProvider('silent', undefined);
    const directory = new ModelDirectory([provider, silent, new ListedProvider('away', undefined)], 'p/a');
    const windowOf = async (name: string) => directory.listedWindow(await directory.resolve(name));
    expect(await windowOf('p/a')).toBe(4096);
    expect(await windowOf('p/b')).toBeUndefined();
    expect(await windowOf('p/unlisted')).toBeUndefined();
    expect(await windowOf('silent/a')).toBeUndefined();
    expect(await windowOf('away/a')).toBeUndefined();
    expect(provider.asked).toBe(1);
  });
});
