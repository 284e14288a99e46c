import { ApiProperty } from '@nestjs/swagger';
import type { AppError } from '../../common/errors.js';
import type { ErrorFormat } from '../../http/index.js';

/** An error in the format of Ollama's clients. */
export class OllamaErrorBody {
  @ApiProperty({
    description: 'Human-readable description of what is wrong and what to do.',
    example: "model 'llama3.2' not found",
  })
  error!: string;
}

/** Converts an error to the body of a response, or to a line of its own once the answer has begun. */
export function toOllamaError({ message }: AppError): OllamaErrorBody {
  return { error: message };
}

/** Ollama's error format: a message and nothing else. */
export const OLLAMA_ERROR_FORMAT: ErrorFormat = {
  matches: ({ originalUrl }) => /^\/ollama(?:[/?]|$)/i.test(originalUrl),
  body: toOllamaError,
};
