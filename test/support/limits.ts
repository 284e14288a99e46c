import type { ApiResponse, TestUser } from './client.js';

/** Limits that are never reached: tests send more requests than people do. */
export const UNLIMITED = {
  RATE_LIMIT_IP_RPM: '1000000000',
  RATE_LIMIT_RPM: '1000000000',
  RATE_LIMIT_MODEL_RPM: '1000000000',
  RATE_LIMIT_TPM: '1000000000',
  RATE_LIMIT_CONCURRENCY: '1000000000',
};

/** Sends a Chat Completions request. */
export function complete(user: TestUser, more: Readonly<Record<string, unknown>> = {}): Promise<ApiResponse> {
  return user.request('POST', '/v1/chat/completions', {
    messages: [{ role: 'user', content: 'Hello' }],
    ...more,
  });
}

/** Counts the responses by status. */
export function countByStatus(answers: readonly ApiResponse[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
