import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import fastifyCookie, { Signer } from '@fastify/cookie';
import fastifyJwt from '@fastify/jwt';
import cookieParser from 'cookie-parser';
import cookieSession from 'cookie-session';
import express from 'express';
import session from 'express-session';
import * as fastJwt from 'fast-jwt';
import fastify from 'fastify';
import {
  forFastifyCookie,
  forFastifyJwt,
  forFastJwt,
  forIronSession,
  forJose,
  forJsonwebtoken,
  forWebhooks,
  type Keyring,
  keyList,
  revealKeyList,
  withAnyKey,
} from 'hot-secrets/keyring';
import { getIronSession } from 'iron-session';
import { jwtVerify, SignJWT } from 'jose';
import jwt from 'jsonwebtoken';
import Keygrip from 'keygrip';
import Koa from 'koa';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  FIRST,
  keyringStage,
  SECOND,
  SIGN_AFTER_MS,
  simulateClock,
  THIRD,
  VERIFY_FOR_MS,
} from '../support/keyring-stage';

/** What a library does with a keyring. */
interface Form {
  /** Returns a token, a cookie, or the header of a webhook. */
  sign(): Promise<string>;
  /** Resolves with `ok`, or with what the library says of a refused one. */
  read(signed: string): Promise<string>;
}

const messageOf = (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`;

async function outcome(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'ok';
  } catch (error) {
    return messageOf(error);
  }
}

async function serverOf(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return async (path: string, cookie?: string) => {
    const headers = cookie === undefined ? {} : { cookie };
    const sent = request({ port, host: '127.0.0.1', path, headers, agent: false }).end();
    const [response] = (await once(sent, 'response')) as [
      AsyncIterable<Buffer> & { headers: IncomingHttpHeaders; statusCode: number },
    ];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    const cookies = (response.headers['set-cookie'] ?? []).map((one) => one.split(';', 1)[0]);
    return { body: Buffer.concat(chunks).toString(), cookies: cookies.join('; ') };
  };
}

/** An app that keeps a name in a cookie: `/in` sets it, `/` returns it. */
async function cookieForm(listener: RequestListener): Promise<Form> {
  const ask = await serverOf(listener);
  return {
    sign: async () => (await ask('/in')).cookies,
    read: async (cookie) => ((await ask('/', cookie)).body === 'ada' ? 'ok' : 'no session'),
  };
}

const sessions = new session.MemoryStore();

function expressApp(middleware: express.Handler, name: (request: express.Request) => { user?: string }) {
  const app = express().use(middleware);
  app.get('/in', (request, response) => {
    name(request).user = 'ada';
    response.send('in');
  });
  app.get('/', (request, response) => void response.send(name(request).user ?? ''));
  return app as RequestListener;
}

const sessionOf = (request: express.Request) =>
  (request as unknown as { session: { user?: string } }).session;

const FORMS: Readonly<Record<string, (keys: Keyring) => Form | Promise<Form>>> = {
  jsonwebtoken(keys) {
    const tokens = forJsonwebtoken(keys, jwt);
    return {
      sign: async () => tokens.sign({ sub: 'ada' }),
      read: (token) => outcome(() => tokens.verify(token)),
    };
  },
  jose(keys) {
    return {
      async sign() {
        const { id: kid, algorithm: alg, signingKey } = keys.signing;
        return new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg, kid }).sign(signingKey);
      },
      read: (token) => outcome(() => jwtVerify(token, forJose(keys))),
    };
  },
  'fast-jwt': (keys) => {
    const tokens = forFastJwt(keys, fastJwt, { verify: { cache: true } });
    return {
      sign: async () => tokens.sign({ sub: 'ada' }),
      read: (token) => outcome(() => tokens.verify(token)),
    };
  },
  async '@fastify/jwt'(keys) {
    const app = fastify();
    onTestFinished(() => app.close());
    await app.register(fastifyJwt, forFastifyJwt(keys));
    app.get('/in', (_, reply) => reply.jwtSign({ sub: 'ada' }));
    app.get('/in/soon', (_, reply) => reply.jwtSign({ sub: 'ada' }, { sign: { expiresIn: '1d' } }));
    app.get('/', async (asked) => {
      await asked.jwtVerify();
      return 'ok';
    });
    let turn = 0;
    return {
      sign: async () => (await app.inject(turn++ % 2 === 0 ? '/in' : '/in/soon')).body,
      async read(token) {
        const { body } = await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } });
        const direct = await outcome(() => app.jwt.verify(token));
        return body === 'ok' ? direct : (JSON.parse(body) as { message: string }).message;
      },
    };
  },
  'express-session': (keys) =>
    cookieForm(
      expressApp(
        session({ secret: keyList(keys), resave: false, saveUninitialized: false, store: sessions }),
        sessionOf,
      ),
    ),
  'cookie-session': (keys) =>
    cookieForm(expressApp(cookieSession({ name: 'session', keys: keyList(keys) }), sessionOf)),
  'cookie-parser': (keys) => {
    const app = express().use(cookieParser(revealKeyList(keys)));
    app.get('/in', (_, response) => void response.cookie('user', 'ada', { signed: true }).send('in'));
    app.get('/', (asked, response) => void response.send(asked.signedCookies.user || ''));
    return cookieForm(app as RequestListener);
  },
  koa: (keys) => {
    const app = new Koa();
    app.keys = keyList(keys);
    app.use((context) => {
      if (context.path === '/in') context.cookies.set('user', 'ada', { signed: true });
      context.body = context.path === '/in' ? 'in' : (context.cookies.get('user', { signed: true }) ?? '');
    });
    return cookieForm(app.callback() as RequestListener);
  },
  keygrip: (keys) => {
    const grip = new Keygrip(keyList(keys));
    return {
      sign: async () => grip.sign('ada'),
      read: async (signature) => (grip.verify('ada', signature) ? 'ok' : 'no session'),
    };
  },
  async '@fastify/cookie'(keys) {
    const app = fastify();
    onTestFinished(() => app.close());
    await app.register(fastifyCookie, { secret: forFastifyCookie(keys) });
    app.get('/in', async (_, reply) => {
      reply.setCookie('user', 'ada', { signed: true });
      return 'in';
    });
    app.get('/', async (asked) => {
      const { valid, value } = asked.unsignCookie(asked.cookies.user ?? '');
      return valid && value === 'ada' ? 'ok' : 'no session';
    });
    return {
      sign: async () => String((await app.inject('/in')).headers['set-cookie']).split(';', 1)[0] as string,
      read: async (cookie) => (await app.inject({ url: '/', headers: { cookie } })).body,
    };
  },
  'iron-session': (keys) => {
    const password = forIronSession(keys);
    return cookieForm(async (asked, response) => {
      const own = await getIronSession<{ user?: string }>(asked, response, { cookieName: 'own', password });
      if (asked.url === '/in') {
        own.user = 'ada';
        await own.save();
      }
      response.end(asked.url === '/in' ? 'in' : own.user);
    });
  },
  'a webhook': (keys) => {
    const webhooks = forWebhooks(keys, { prefix: 'sha256=' });
    return {
      sign: async () => webhooks.sign('{"id":1}'),
      read: async (header) => (webhooks.verify('{"id":1}', header) ? 'ok' : 'refused'),
    };
  },
};

/** What each library says of something that no key has signed. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  jsonwebtoken: /^JsonWebTokenError: invalid signature$/,
  jose: /^JWSSignatureVerificationFailed: signature verification failed$/,
  'fast-jwt': /^Error: The token signature is invalid\.$/,
  '@fastify/jwt': /signature is invalid/,
  'a webhook': /^refused$/,
};

describe.each(Object.keys(FORMS))('%s with a keyring', (library) => {
  const formOf = async (keys: Keyring) => (FORMS[library] as (keys: Keyring) => Form)(keys);
  const refused = REFUSED[library] ?? /^no session$/;

  it('accepts and signs through a rotation as every replica needs it', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    const late = await formOf((await keyringStage({ signing: FIRST })).keys);
    const restarted = await keyringStage({ signing: SECOND, 'signing.previous': FIRST });
    const form = await formOf(keys);
    const before = await form.sign();
    expect(await form.read(before)).toBe('ok');

    await rotate({ signing: SECOND });
    const during = await form.sign();
    expect([await form.read(before), await late.read(during)]).toEqual(['ok', 'ok']);
    expect(await (await formOf(restarted.keys)).read(during)).toBe('ok');

    pass(SIGN_AFTER_MS);
    const after = await form.sign();
    expect([await form.read(before), await form.read(after)]).toEqual(['ok', 'ok']);
    expect(await late.read(after)).toMatch(refused);
    const onlyNew = await formOf((await keyringStage({ signing: SECOND })).keys);
    expect([await onlyNew.read(after), await onlyNew.read(before)]).toEqual([
      'ok',
      expect.stringMatching(refused),
    ]);

    pass(SIGN_AFTER_MS + VERIFY_FOR_MS);
    expect(await form.read(before)).toMatch(refused);
    expect(await form.read(after)).toBe('ok');
    await rotate({ signing: THIRD });
    pass(SIGN_AFTER_MS);
    const third = await form.sign();
    expect([await form.read(after), await form.read(third)]).toEqual(['ok', 'ok']);
  });
});

const pair = () =>
  generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;

describe.each(['jsonwebtoken', 'jose', 'fast-jwt', '@fastify/jwt'])('%s with private keys', (library) => {
  const formOf = async (keys: Keyring) => (FORMS[library] as (keys: Keyring) => Form)(keys);

  it('signs and verifies through a rotation', async () => {
    const { pass } = simulateClock();
    const [one, two] = [pair(), pair()];
    const { keys, rotate } = await keyringStage({ signing: one });
    const form = await formOf(keys);
    const before = await form.sign();
    await rotate({ signing: two });
    pass(SIGN_AFTER_MS);
    const after = await form.sign();
    expect([await form.read(before), await form.read(after)]).toEqual(['ok', 'ok']);
    pass(SIGN_AFTER_MS + VERIFY_FOR_MS);
    expect(await form.read(before)).toMatch(REFUSED[library] as RegExp);
    expect(await form.read(after)).toBe('ok');
  });

  it('never takes a public key for a secret', async () => {
    simulateClock();
    const { keys } = await keyringStage({ signing: pair() });
    const form = await formOf(keys);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${part({ alg: 'HS256', typ: 'JWT', kid: keys.signing.id })}.${part({ sub: 'mallory' })}`;
    const mac = createHmac('sha256', String(keys.signing.revealVerifying()))
      .update(input)
      .digest('base64url');
    expect(await form.read(`${input}.${mac}`)).not.toBe('ok');
    expect(await form.read(`${part({ alg: 'none' })}.${part({ sub: 'mallory' })}.`)).not.toBe('ok');
  });
});

describe('a token', () => {
  it.each(['jsonwebtoken', 'jose', 'fast-jwt', '@fastify/jwt'])(
    'of the time before the keyring, without an id, is accepted while its key is: %s',
    async (library) => {
      const { pass } = simulateClock();
      const { keys, rotate } = await keyringStage({ signing: FIRST });
      const form = await (FORMS[library] as (keys: Keyring) => Form | Promise<Form>)(keys);
      const tokens = [jwt.sign({ sub: 'ada' }, FIRST), jwt.sign({ sub: 'ada' }, FIRST, { keyid: '2024' })];
      await rotate({ signing: SECOND });
      pass(SIGN_AFTER_MS);
      // app.jwt.verify of @fastify/jwt tells only the header, so that a key without its id cannot be found.
      const direct = library === '@fastify/jwt' ? /signature is invalid/ : /^ok$/;
      for (const token of tokens) expect(await form.read(token)).toMatch(direct);
      expect(await form.read(jwt.sign({ sub: 'ada' }, THIRD))).toMatch(REFUSED[library] as RegExp);
    },
  );

  it.each(['', 'a.b', 'a.b.c', '..', 'bnVsbA.e30.x', 5, undefined])(
    'that is none is refused: %o',
    async (token) => {
      simulateClock();
      const { keys } = await keyringStage({ signing: FIRST });
      const jsonwebtoken = forJsonwebtoken(keys, jwt);
      const fast = forFastJwt(keys, fastJwt);
      expect(() => jsonwebtoken.verify(token as string)).toThrow(/^jwt|invalid/);
      expect(() => fast.verify(token as string)).toThrow(fastJwt.TokenError);
      await expect(jwtVerify(token as string, forJose(keys))).rejects.toThrow();
    },
  );

  it('that expired says so, whatever key signed it', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    const tokens = forJsonwebtoken(keys, jwt);
    const token = tokens.sign({ sub: 'ada' }, { expiresIn: '1m' });
    await rotate({ signing: SECOND });
    pass(SIGN_AFTER_MS);
    expect(() => tokens.verify(token)).toThrow('jwt expired');
  });

  it('is still accepted by the cache of a single verifier of fast-jwt after its key is gone', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST }, { options: { verifyForMs: 0 } });
    const single = fastJwt.createVerifier({
      cache: true,
      key: async ({ header }: { header: { kid?: string } }) =>
        String((keys.find(header.kid) ?? keys.signing).revealVerifying()),
    });
    const own = forFastJwt(keys, fastJwt, { verify: { cache: true } });
    const token = own.sign({ sub: 'ada' });
    await rotate({ signing: SECOND });
    const until = 2 * SIGN_AFTER_MS;
    pass(until - 1);
    expect([await single(token), own.verify(token)]).toMatchObject([{ sub: 'ada' }, { sub: 'ada' }]);
    pass(1);
    expect(await single(token)).toMatchObject({ sub: 'ada' });
    expect(() => own.verify(token)).toThrow('The token signature is invalid.');
  });
});

describe('a cookie', () => {
  it('that an older key signed is renewed by @fastify/cookie', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    const signer = forFastifyCookie(keys);
    const old = signer.sign('ada');
    expect(signer.unsign(old)).toEqual({ valid: true, renew: false, value: 'ada' });
    expect(signer.unsign(old)).toEqual(new Signer(FIRST).unsign(old));
    await rotate({ signing: SECOND });
    pass(SIGN_AFTER_MS);
    expect(signer.unsign(old)).toEqual({ valid: true, renew: true, value: 'ada' });
    for (const bad of ['', 'ada', 'ada.', '.', `${old}x`]) {
      expect(signer.unsign(bad)).toEqual({ valid: false, renew: false, value: null });
    }
  });

  it('keeps signing with the old key when @fastify/cookie gets the list itself', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    const list = [FIRST];
    const copies = new Signer(list);
    await rotate({ signing: SECOND });
    list.unshift(SECOND);
    pass(SIGN_AFTER_MS);
    expect(copies.sign('ada')).toBe(new Signer(FIRST).sign('ada'));
    expect(forFastifyCookie(keys).sign('ada')).toBe(new Signer(SECOND).sign('ada'));
  });

  it('of iron-session from before the keyring stays valid while its key is', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    const { sealData, unsealData } = await import('iron-session');
    const old = await sealData({ user: 'ada' }, { password: FIRST });
    const password = forIronSession(keys);
    await rotate({ signing: SECOND });
    pass(SIGN_AFTER_MS);
    expect(await unsealData(old, { password })).toEqual({ user: 'ada' });
    pass(SIGN_AFTER_MS + VERIFY_FOR_MS);
    await expect(unsealData(old, { password }).then((data) => Object.keys(data as object))).resolves.toEqual(
      [],
    );
  });
});

describe('a webhook', () => {
  it('is refused when its body, its signature or its key is another one', async () => {
    const { pass } = simulateClock();
    const { keys, rotate } = await keyringStage({ signing: FIRST });
    const webhooks = forWebhooks(keys, { prefix: 'v1=', encoding: 'base64', hash: 'sha512' });
    const header = webhooks.sign('body');
    expect(header).toBe(`v1=${createHmac('sha512', FIRST).update('body').digest('base64')}`);
    expect(webhooks.verify(Buffer.from('body'), ['v0=x', `v1=AAAA, ${header}`])).toBe(true);
    for (const bad of [undefined, '', 'v1=', header.slice(3), `${header.slice(0, -4)}AAAA`]) {
      expect(webhooks.verify('body', bad)).toBe(false);
    }
    expect(webhooks.verify('another body', header)).toBe(false);
    await rotate({ signing: SECOND });
    pass(2 * SIGN_AFTER_MS + VERIFY_FOR_MS);
    expect(webhooks.verify('body', header)).toBe(false);
  });

  it('of a service that signs with one of two secrets is verified with any key', async () => {
    simulateClock();
    const { keys } = await keyringStage({ signing: SECOND, 'signing.previous': FIRST });
    const check = (secret: string) => (key: { reveal(): unknown }) => {
      if (key.reveal() !== secret) throw new Error('No signatures found');
      return 'event';
    };
    expect([FIRST, SECOND].map((secret) => withAnyKey(keys, check(secret)))).toEqual(['event', 'event']);
    expect(() => withAnyKey(keys, check(THIRD))).toThrow('No signatures found');
  });
});

describe('what the libraries get', () => {
  it('prints without a value', async () => {
    simulateClock();
    const { keys } = await keyringStage({ signing: SECOND, 'signing.previous': FIRST });
    const given = {
      list: keyList(keys),
      passwords: forIronSession(keys),
      cookie: forFastifyCookie(keys),
      fastify: forFastifyJwt(keys),
      webhooks: forWebhooks(keys),
      jwt: forJsonwebtoken(keys, jwt),
      fast: forFastJwt(keys, fastJwt),
    };
    const printed = inspect(given, { depth: 9, showHidden: true });
    for (const value of [FIRST, SECOND]) expect(printed).not.toContain(value);
    const { passwords: _, ...others } = given;
    for (const value of [FIRST, SECOND]) expect(JSON.stringify(others)).not.toContain(value);
  });

  it('is refused for a keyring that cannot sign it', async () => {
    simulateClock();
    const pairs = (await keyringStage({ signing: pair() })).keys;
    const refused = expect.objectContaining({ code: 'SIGNING_KEY_INVALID' });
    for (const form of [keyList, revealKeyList, forFastifyCookie, forIronSession, forWebhooks]) {
      expect(() => form(pairs)).toThrow(refused);
    }
    const { secret } = await import('hot-secrets');
    const bytes = await keyringStage({ signing: FIRST }, { secrets: { signing: secret.bytes('signing') } });
    expect(() => forIronSession(bytes.keys)).toThrow(refused);
    expect(keyList(bytes.keys)).toHaveLength(1);
    expect(() => forWebhooks(bytes.keys, { prefx: 'x' } as never)).toThrow(/Did you mean "prefix"/);
  });
});
