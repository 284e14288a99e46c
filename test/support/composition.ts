import type { DynamicModule } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { Test, type TestingModule } from '@nestjs/testing';
import { AppConfig, parseSettings } from '../../src/config/index.js';
import { createLogger } from '../../src/infra/telemetry/index.js';
import type { Runtime } from '../../src/app/runtime.js';

/** Some of the classes that only an API process has. */
export const API_ONLY = [
  'AccountAdminController',
  'ApiKeysController',
  'AuditController',
  'QueueDashboardController',
  'AuthController',
  'PasswordController',
  'ProviderKeysController',
  'WebhooksController',
  'ChatController',
  'ConversationsController',
  'FilesController',
  'HealthController',
  'UsersController',
  'AuthService',
  'ConversationService',
  'HealthService',
  'CredentialAuthenticator',
  'TurnRunner',
  'TurnService',
  'UserService',
];
/** The classes of a process that runs jobs. */
export const JOBS = [
  'MaintenanceProcessor',
  'TaskProcessor',
  'FileSweep',
  'DeliveryProcessor',
  'DeliveryRetention',
];

/** Returns the resources that a process opens before its modules are created. */
export function runtimeOver(
  connectionString: string,
  environment: Readonly<Record<string, string>> = {},
): Runtime {
  const secret = 'Kq3vX8rTz1mYw6BnJd5hGs0aPf4cLe9uRi7o';
  const config = new AppConfig(parseSettings({ NODE_ENV: 'test', JWT_SECRET: secret, ...environment }));
  const destination = { write: () => undefined };
  return { config, logger: createLogger({ level: 'debug', readable: false, destination }), connectionString };
}

/** Compiles, starts and closes a composition root, and returns the names of everything that was injected. */
export async function injectablesOf(root: DynamicModule): Promise<string[]> {
  const module = await compile(root);
  try {
    await module.init();
    return namesIn(module);
  } finally {
    await module.close();
  }
}

/** Compiles a composition root. Fails if a dependency cannot be injected. */
export function compile(root: DynamicModule): Promise<TestingModule> {
  return Test.createTestingModule({ imports: [root] }).compile();
}

function namesIn(module: TestingModule): string[] {
  const wrappers = [...module.get(ModulesContainer).values()].flatMap((part) => [
    ...part.controllers.values(),
    ...part.providers.values(),
  ]);
  return wrappers.map((wrapper) => {
    const name = String(wrapper.name);
    const { instance, isResolved } = wrapper.getInstanceByContextId(STATIC_CONTEXT);
    // The factory of a package may have an effect and no result.
    if (instance === undefined && !isResolved) throw new Error(`${name} has no instance.`);
    return name;
  });
}
