import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { rotating } from 'hot-secrets';
import type { Secrets } from '../measure';

export async function useStorageBlob(secrets: Secrets, url: string) {
  // #region recipe
  const storage = rotating(secrets, {
    build(s) {
      const key = new StorageSharedKeyCredential(s.reveal('user'), s.reveal('password'));
      return new BlobServiceClient(url, key);
    },
    verify: (client) => client.getProperties(),
  });
  await storage.ready;
  // #endregion
  return storage;
}
