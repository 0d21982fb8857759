import { rotating } from 'hot-secrets';
import OpenAI from 'openai';
import type { Secrets } from '../measure';

export async function useOpenAi(secrets: Secrets, baseURL: string) {
  // #region recipe
  const openai = rotating(
    secrets,
    { build: (s) => new OpenAI({ baseURL, apiKey: s.reveal('password') }) },
    { isRefused: ({ status }) => status === 401 },
  );
  await openai.ready;
  // #endregion
  return openai;
}
