import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { registerAdmin } from './accounts.js';
import { type Settings, startApi, type TestApi } from './api.js';
import { registerUser, type TestUser } from './client.js';
import type { Clock } from '../../src/common/clock.js';
import type { TestDatabase } from './database.js';
import { FakeProvider, type FakeProviderOptions } from './fake-provider/fake-provider.js';
import { until } from './stored.js';

/*
 * Every function here must be called in a describe block or at the top of a spec, and immediately returns an
 * object that becomes usable when the tests run. Resources are opened in the order of set-up and closed in
 * reverse order.
 */

/** Lifetime of a resource: for all tests of the surrounding block, or a new one for each test. */
type Lifetime = 'block' | 'test';

/**
 * Closers of the opened resources, called in reverse order. Nested blocks open later and close earlier, so
 * one stack is enough.
 */
const opened: { close: () => unknown }[] = [];

/**
 * Opens a resource before the tests and closes it after them.
 * @returns a function that returns the resource, to be called in tests and hooks
 */
export function setUpResource<Resource>(
  open: () => Promise<{ readonly resource: Resource; readonly close: () => unknown }>,
  lifetime: Lifetime = 'block',
): () => Resource {
  const [before, after] = lifetime === 'block' ? [beforeAll, afterAll] : [beforeEach, afterEach];
  let current: { readonly resource: Resource } | undefined;
  before(async () => {
    // Pushed even if opening fails, because each hook below closes the last entry.
    const entry: { close: () => unknown } = { close: () => undefined };
    opened.push(entry);
    const { resource, close } = await open();
    current = { resource };
    entry.close = close;
  });
  // Jest calls hooks of one kind in the order of their definition, so this one does not necessarily close the
  // resource opened by `before`.
  after(async () => {
    await opened.pop()?.close();
  });
  return () => {
    if (current === undefined) throw new Error('What is set up for tests exists in tests and hooks only.');
    return current.resource;
  };
}

/**
 * Sets up a provider for all tests of the block. It is reset after each test; its address is known when the
 * tests run.
 */
export function setUpProvider(options?: FakeProviderOptions): FakeProvider {
  const provider = new FakeProvider(options);
  setUpResource(async () => {
    await provider.listen();
    const close = async (): Promise<void> => {
      // No socket may outlive the application, whatever was aborted, cut or refused.
      await until('the sockets to the provider to close', () => provider.openConnections === 0);
      await provider.close();
    };
    return { resource: provider, close };
  });
  afterEach(() => {
    provider.reset();
  });
  return provider;
}

/**
 * Sets up an API with its own database and, in a run with Redis, its own key prefix.
 * @param settings environment variables over those of all tests; a function is called once providers have
 * addresses
 * @param clock clock of the application; real time by default
 */
export function setUpApi(
  settings: Settings | (() => Settings) = {},
  lifetime?: Lifetime,
  clock?: Clock,
): TestApi {
  const api = setUpResource(async () => {
    const started = await startApi(typeof settings === 'function' ? settings() : settings, undefined, clock);
    return { resource: started, close: () => started.close() };
  }, lifetime);
  return {
    get url() {
      return api().url;
    },
    get database() {
      return api().database;
    },
    get log() {
      return api().log;
    },
    get application() {
      return api().application;
    },
    close: () => api().close(),
  };
}

/** Returns a function that starts an API in a test, as `startApi` does, and closes it after that test. */
export function setUpApiStarter(): (settings?: Settings, database?: TestDatabase) => Promise<TestApi> {
  const started: TestApi[] = [];
  afterEach(async () => {
    for (const api of started.splice(0).toReversed()) await api.close();
  });
  return async (settings, database) => {
    const api = await startApi(settings, database);
    started.push(api);
    return api;
  };
}

/** Registers an account. */
export function setUpUser(api: Pick<TestApi, 'url'>, lifetime?: Lifetime): TestUser {
  return setUpAccount(() => registerUser(api.url), lifetime);
}

/** Registers an admin. */
export function setUpAdmin(api: TestApi): TestUser {
  return setUpAccount(() => registerAdmin(api));
}

function setUpAccount(register: () => Promise<TestUser>, lifetime?: Lifetime): TestUser {
  const account = setUpResource(
    async () => ({ resource: await register(), close: () => undefined }),
    lifetime,
  );
  return {
    get token() {
      return account().token;
    },
    get email() {
      return account().email;
    },
    request: (...request) => account().request(...request),
    stream: (...request) => account().stream(...request),
  };
}
