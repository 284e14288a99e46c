import { Injectable } from '@nestjs/common';
import { type MediaKind, ModelCatalog } from '../../../llm/index.js';
import type { AttachmentKind, ModelMediaSupport } from './attachment.js';

/** Finds out which media a model reads. */
@Injectable()
export class ModelMedia {
  constructor(private readonly models: ModelCatalog) {}

  /**
   * Returns the support of a model for the kinds of some files. For an alias, PDFs are supported only by a model that
   * supports the images too, because one model gets all files.
   * @throws AppError as `ModelCatalog.mediaSupportLevel` does
   */
  async supportFor(
    call: { readonly userId: string; readonly model: string },
    kinds: ReadonlySet<AttachmentKind | undefined>,
  ): Promise<ModelMediaSupport> {
    const levelOf = (...media: readonly MediaKind[]) => this.models.mediaSupportLevel(call, new Set(media));
    const image = kinds.has('image') ? await levelOf('image') : 'unknown';
    if (!kinds.has('pdf')) return { image, pdf: 'unknown' };
    const pdf =
      kinds.has('image') && image !== 'unsupported' ? await levelOf('image', 'pdf') : await levelOf('pdf');
    return { image, pdf };
  }
}
