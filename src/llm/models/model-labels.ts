import type { ModelIdentity } from '../port/index.js';

/** Stands for all models that nobody but a caller has named. */
const OTHER_MODEL = 'other';

/** Maximum number of models that are counted by name: each has a few dozen series. */
const MAX_MODELS = 200;

/**
 * The names under which models are counted and logged. Callers may send any model name, which would create a series
 * for each, so only names that the configuration or the list of a provider contains are used.
 */
export class ModelLabels {
  /** Labels in use by the full name of the model. */
  private readonly used = new Map<string, string>();

  /** @param isKnown returns true for a model that the configuration or its provider has named */
  constructor(private readonly isKnown: (model: ModelIdentity) => boolean) {}

  /** Returns the name of a model within its provider, or `other`. */
  labelOf(model: ModelIdentity): string {
    const known = this.used.get(model.name);
    if (known !== undefined) return known;
    if (this.used.size >= MAX_MODELS || !this.isKnown(model)) return OTHER_MODEL;
    this.used.set(model.name, model.model);
    return model.model;
  }
}
