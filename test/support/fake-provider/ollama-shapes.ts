/** A message in the server's format. */
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

/** An object of `/api/chat`, or a line of its stream. */
export interface ChatResponse extends Metrics {
  model: string;
  created_at: string;
  message: Message;
  done: boolean;
  done_reason?: string;
}

/** An object of `/api/generate`, or a line of its stream. */
export interface GenerateResponse extends Metrics {
  model: string;
  created_at: string;
  response: string;
  thinking?: string;
  done: boolean;
  done_reason?: string;
}

/** The response of `/api/embed`. */
export interface EmbedResponse extends Metrics {
  model: string;
  embeddings: number[][];
}

/** The response of `/api/tags`. */
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

/** The fields of the `/api/show` response that are read. */
export interface ShowResponse {
  license: string;
  details: Record<string, unknown>;
  model_info: Record<string, unknown>;
  capabilities: string[];
  modified_at: string;
}
