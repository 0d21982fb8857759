import Module from 'node:module';
import { afterEach, expect, it, vi } from 'vitest';
import { peer } from '../../../src/internal/peer';

const loader = Module as unknown as { _resolveFilename(request: string, ...more: unknown[]): string };
const resolve = loader._resolveFilename;

function failing(name: string, error: Error): void {
  vi.spyOn(loader, '_resolveFilename').mockImplementation((request, ...more) => {
    if (request === name) throw error;
    return resolve.call(loader, request, ...more);
  });
}

afterEach(() => vi.restoreAllMocks());

const missing = (name: string) =>
  Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });

it('names a package that is not installed, with the command that installs the version it needs', () => {
  failing('undici', missing('undici'));
  expect(() => peer('undici', [])).toThrow(
    expect.objectContaining({
      code: 'PEER_MISSING',
      what: 'the package "undici" is not installed',
      next: 'Run: npm install "undici@>=6.19". If you have it elsewhere, pass it as the option `undici`.',
    }),
  );
});

it('passes on the error of an installed package that lacks a dependency', () => {
  const error = missing('of-another-package');
  failing('undici', error);
  expect(() => peer('undici', [])).toThrow(error);
});

it('loads the installed package', () => {
  expect(peer('pg', ['Client', 'Pool'])).toHaveProperty('Pool');
});

it('takes the module that is passed, also one that has its exports in `default`', () => {
  const module = { asn1: {}, pki: {} };
  expect(peer('node-forge', ['asn1', 'pki'], module)).toBe(module);
  expect(peer('node-forge', ['asn1', 'pki'], { default: module })).toBe(module);
});

it('names what a passed module lacks, and the version that has it', () => {
  expect(() =>
    peer<Record<'jwtVerify' | 'customFetch', unknown>>('jose', ['jwtVerify', 'customFetch'], {
      jwtVerify() {},
    }),
  ).toThrow(
    expect.objectContaining({
      code: 'PEER_UNSUPPORTED',
      what: 'the module jose that was passed lacks customFetch',
      next: 'Pass that of jose 6 or newer.',
    }),
  );
});

it('names what an installed package lacks', () => {
  expect(() => peer<Record<'noSuchExport', unknown>>('undici', ['noSuchExport'])).toThrow(
    expect.objectContaining({
      code: 'PEER_UNSUPPORTED',
      what: 'the module undici that is installed lacks noSuchExport',
    }),
  );
});
