/** Page for browsers without a session. Its form is sent by the script only: the policy forbids it otherwise. */
export const LOGIN_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>Parley queues</title>
    <link rel="icon" href="data:,">
    <style>
      body { font: 1rem/1.5 system-ui, sans-serif; max-width: 22rem; margin: 15vh auto; padding: 0 1rem }
      label { display: block; margin-top: 1rem }
      input { display: block; width: 100%; box-sizing: border-box; padding: .5rem; font: inherit }
      button { margin-top: 1.5rem; padding: .5rem 1.5rem; font: inherit }
      [role=alert] { color: #b00020; min-height: 1.5em }
    </style>
  </head>
  <body>
    <h1>Queues</h1>
    <p>Log in as an admin. The dashboard stays open for ten minutes.</p>
    <form>
      <label>Email <input name="email" type="email" autocomplete="username" required autofocus></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
      <button>Log in</button>
    </form>
    <p role="alert"></p>
    <noscript>This page needs JavaScript.</noscript>
    <script src="/admin/queues/login.js"></script>
  </body>
</html>
`;

/**
 * Script of the page: logs in with the API, then opens a session of the dashboard, whose cookie it cannot read. It stores
 * nothing, and ends a login that may not open the dashboard.
 */
export const LOGIN_SCRIPT = `'use strict';
const form = document.querySelector('form');
const alert = document.querySelector('[role=alert]');
const button = document.querySelector('button');

async function post(path, body, token) {
  const response = await fetch('/api/v1/' + path, {
    method: 'POST',
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token && { authorization: 'Bearer ' + token }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) throw new Error(answer?.error?.message ?? 'The server answered ' + response.status + '.');
  return answer;
}

async function logIn(email, password) {
  const { access_token, refresh_token } = await post('auth/login', { email, password });
  try {
    await post('admin/queues/session', undefined, access_token);
  } catch (error) {
    await post('auth/logout', { refresh_token }).catch(() => undefined);
    throw error;
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  alert.textContent = '';
  button.disabled = true;
  logIn(form.elements.email.value, form.elements.password.value).then(
    () => location.reload(),
    (error) => {
      alert.textContent = error.message;
      button.disabled = false;
    },
  );
});
`;
