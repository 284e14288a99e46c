import type { INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/** Returns the instances that Nest manages, each once: an instance may be provided under several tokens. */
export function instancesOf(app: INestApplicationContext): Set<object> {
  const wrappers = [...app.get(ModulesContainer).values()].flatMap((module) => [
    ...module.providers.values(),
    ...module.controllers.values(),
    ...module.injectables.values(),
  ]);
  const instances = new Set<object>();
  for (const wrapper of wrappers) {
    const instance: unknown = wrapper.instance;
    if (typeof instance === 'object' && instance !== null) instances.add(instance);
  }
  return instances;
}
