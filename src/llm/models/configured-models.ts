import type { ModelIdentity } from '../port/index.js';

/** The settings that name models. */
export interface ModelSettings {
  readonly defaultModel: string | undefined;
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  readonly windows: Readonly<Record<string, number>>;
  readonly titleModel: string | undefined;
  readonly summaryModel: string | undefined;
  readonly embeddingModel: string | undefined;
}

/** Returns a predicate that is true for the models that a setting names, in full or without their provider. */
export function configuredModels(settings: ModelSettings): (model: ModelIdentity) => boolean {
  const names = new Set([
    settings.defaultModel,
    settings.titleModel,
    settings.summaryModel,
    settings.embeddingModel,
    ...Object.values(settings.aliases).flat(),
    // Without entries for all models of a provider: `ollama/*`.
    ...Object.keys(settings.windows).filter((name) => !name.endsWith('/*')),
  ]);
  return ({ name, model }) => names.has(name) || names.has(model);
}
