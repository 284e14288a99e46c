import { asking, startApi, type TestApi } from './api.js';
import { type FakeProvider, startFakeProvider } from './fake-provider/fake-provider.js';

/** Two API applications over one database and one Redis, and the provider of both. */
export interface TwoProcesses {
  readonly provider: FakeProvider;
  readonly here: TestApi;
  readonly there: TestApi;
  /** Starts another one, which must be closed before them. */
  readonly another: () => Promise<TestApi>;
  close(): Promise<void>;
}

/** Starts two applications that use the Redis of the test run. */
export async function startTwoProcesses(): Promise<TwoProcesses> {
  const provider = await startFakeProvider();
  const settings = {
    ...asking(provider),
    WORKER: 'separate',
    JWT_SECRET: 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o',
  };
  const here = await startApi(settings);
  const another = (): Promise<TestApi> => startApi(settings, here.database);
  const there = await another();
  return {
    provider,
    here,
    there,
    another,
    close: async () => {
      await there.close();
      await here.close();
      await provider.close();
    },
  };
}
