import type { ConfigType } from '@nestjs/config';
import { request } from 'undici';
import type { providersConfig } from '../config/index.js';
import type { ModelProvider } from './port/index.js';
import type { AnthropicProviderOptions } from './providers/anthropic/anthropic.provider.js';
import { DemoProvider } from './providers/demo/demo.provider.js';
import { OllamaProvider } from './providers/ollama/ollama.provider.js';
import type { OpenAiProviderOptions } from './providers/openai/openai.provider.js';

/** The default address of Ollama, probed if none is configured. */
const LOCAL_OLLAMA = 'http://127.0.0.1:11434';

/** Maximum wait for the probe, in milliseconds; a local port responds immediately or not at all. */
const PROBE_MS = 300;

/**
 * Creates the configured providers, in the order in which a bare model name is looked up; the demo comes last.
 */
export async function configuredProviders({
  openai,
  anthropic,
  ollama,
  hosts,
  demoTokensPerSecond,
  connectTimeoutMs,
}: ConfigType<typeof providersConfig>): Promise<ModelProvider[]> {
  const ollamaUrl = ollama.baseUrl ?? (ollama.probe ? await localOllama() : undefined);
  return [
    ...(isSet(openai) ? [await openAiProvider({ id: 'openai', ...openai, connectTimeoutMs })] : []),
    ...(isSet(anthropic)
      ? [await anthropicProvider({ id: 'anthropic', ...anthropic, connectTimeoutMs })]
      : []),
    ...(await Promise.all(
      hosts.map(({ id, baseUrl, apiKey, models }) =>
        openAiProvider({ id, baseUrl, apiKey, models, connectTimeoutMs }),
      ),
    )),
    ...(ollamaUrl === undefined
      ? []
      : [new OllamaProvider({ id: 'ollama', baseUrl: ollamaUrl, connectTimeoutMs })]),
    new DemoProvider({ tokensPerSecond: demoTokensPerSecond }),
  ];
}

// The official SDKs are loaded only for hosts that are configured: each has some 240 modules.

async function openAiProvider(options: OpenAiProviderOptions): Promise<ModelProvider> {
  const { OpenAiProvider } = await import('./providers/openai/openai.provider.js');
  return new OpenAiProvider(options);
}

async function anthropicProvider(options: AnthropicProviderOptions): Promise<ModelProvider> {
  const { AnthropicProvider } = await import('./providers/anthropic/anthropic.provider.js');
  return new AnthropicProvider(options);
}

function isSet({ apiKey, baseUrl }: { apiKey: string | undefined; baseUrl: string | undefined }): boolean {
  return apiKey !== undefined || baseUrl !== undefined;
}

async function localOllama(): Promise<string | undefined> {
  try {
    const { statusCode, body } = await request(`${LOCAL_OLLAMA}/api/version`, {
      signal: AbortSignal.timeout(PROBE_MS),
    });
    await body.dump();
    return statusCode === 200 ? LOCAL_OLLAMA : undefined;
  } catch {
    return undefined;
  }
}
