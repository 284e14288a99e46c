import { ApiProperty } from '@nestjs/swagger';
import type { AppError } from '../../common/errors.js';
import type { ErrorWire } from '../../http/index.js';

/** What went wrong, in the form that Ollama's clients read. */
export class OllamaErrorBody {
  @ApiProperty({
    description: 'Human-readable description of what is wrong and what to do.',
    example: "model 'llama3.2' not found",
  })
  error!: string;
}

/** The error as it is told before an answer has begun, and as a line of its own after that. */
export function toOllamaError({ message }: AppError): OllamaErrorBody {
  return { error: message };
}

/** How Ollama's clients are told errors: a sentence and nothing else. */
export const OLLAMA_ERROR_WIRE: ErrorWire = {
  speaks: ({ originalUrl }) => /^\/ollama(?:[/?]|$)/i.test(originalUrl),
  body: toOllamaError,
};
