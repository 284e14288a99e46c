import { type ApiResponse, at, listAt, send, type TestUser } from './client.js';

/** Opens a session of the queue dashboard and returns the attributes of its cookie; the first is its name and value. */
export async function openDashboard(admin: TestUser): Promise<string[]> {
  const { status, headers, body } = await admin.request('POST', '/api/v1/admin/queues/session');
  if (status !== 201) throw new Error(`No session: ${JSON.stringify(body)}`);
  return cookieOf(headers);
}

/** Returns the parts of the only cookie that a response sets. */
export function cookieOf(headers: Headers): string[] {
  const cookies = headers.getSetCookie();
  if (cookies.length !== 1) throw new Error(`A response sets ${String(cookies.length)} cookies.`);
  return (cookies[0] ?? '').split('; ');
}

/** Requests a path of the dashboard with a cookie. */
export function askDashboard(
  url: string,
  cookie: string | undefined,
  path = '/api/queues',
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<ApiResponse> {
  const headers = { ...(cookie !== undefined && { cookie }), ...options.headers };
  return send(`${url}/admin/queues${path}`, { ...options, headers });
}

/** Returns the names of the queues in a response of the dashboard. */
export function queueNamesIn({ body }: ApiResponse): unknown[] {
  return listAt(body, 'queues').map((queue) => at(queue, 'name'));
}
