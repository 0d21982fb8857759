import { type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SecretStore } from 'hot-secrets';
import { onTestFinished } from 'vitest';
import { silentMemory } from './silent-source';

export type Platform = 'express' | 'fastify';

export const platforms: readonly Platform[] = ['express', 'fastify'];

export interface Pair {
  readonly user: string;
  readonly password: string;
}

export type PairStore = SecretStore<Pair>;

export const pairOf = (name: string) => ({ user: `${name}-user`, password: `${name}-password` });

/** Opens a store with a user and a password, and a function that rotates them. */
export async function openPair(first: string) {
  const source = silentMemory(pairOf(first));
  const store: PairStore = await SecretStore.open({ secrets: pairDefinitions, sources: [source] });
  onTestFinished(() => store.close());
  return {
    store,
    async rotate(name: string) {
      source.set(pairOf(name));
      await store.refresh();
    },
  };
}

export const pairDefinitions = { user: 'user', password: 'password' };

export const isClosed = (store: SecretStore<Pair>) => {
  try {
    store.snapshot();
    return false;
  } catch {
    return true;
  }
};

/** Creates an application that does not listen yet, and closes it when the test ends. */
export async function createNest(platform: Platform, metadata: ModuleMetadata): Promise<INestApplication> {
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(rootModule(metadata), adapter, { logger: false, abortOnError: false });
  onTestFinished(() => app.close());
  return app;
}

/** Starts an application. `prepare` runs before it listens. */
export async function startNest(
  platform: Platform,
  metadata: ModuleMetadata,
  prepare: (app: INestApplication) => void = () => {},
): Promise<{ readonly app: INestApplication; readonly url: string }> {
  const app = await createNest(platform, metadata);
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

export function rootModule(metadata: ModuleMetadata): new () => object {
  class AppModule {}
  Module(metadata)(AppModule);
  return AppModule;
}
