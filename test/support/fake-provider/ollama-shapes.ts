/** A message as the server writes it. */
export interface Message {
  role: 'assistant';
  content: string;
  thinking?: string;
  tool_calls?: { function: { name: string; arguments: unknown } }[];
}

interface Metrics {
  total_duration?: number;
  load_duration?: number;
  prompt_eval_count?: number;
  prompt_eval_duration?: number;
  eval_count?: number;
  eval_duration?: number;
}

/** One object of `/api/chat`, or one line of its stream. */
export interface ChatResponse extends Metrics {
  model: string;
  created_at: string;
  message: Message;
  done: boolean;
  done_reason?: string;
}

/** One object of `/api/generate`, or one line of its stream. */
export interface GenerateResponse extends Metrics {
  model: string;
  created_at: string;
  response: string;
  thinking?: string;
  done: boolean;
  done_reason?: string;
}

/** The answer of `/api/embed`. */
export interface EmbedResponse extends Metrics {
  model: string;
  embeddings: number[][];
}

/** The answer of `/api/tags`. */
export interface ListResponse {
  models: {
    name: string;
    model: string;
    modified_at: string;
    size: number;
    digest: string;
    details: Record<string, unknown>;
  }[];
}

/** The answer of `/api/show`, as far as anybody reads it. */
export interface ShowResponse {
  license: string;
  details: Record<string, unknown>;
  model_info: Record<string, unknown>;
  capabilities: string[];
  modified_at: string;
}
