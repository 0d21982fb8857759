import { expect, it, onTestFinished, vi } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { type Fake, harness } from './harness';

class Refused extends Error {
  readonly code = 'REFUSED';
}

/** Work that a server accepts with one password only. */
function serverWith(password: string) {
  const server = { password, logins: 0 };
  const work = async (fake: Fake) => {
    server.logins += 1;
    if (fake.password !== server.password) throw new Refused('the server refuses the password');
    return fake.password;
  };
  return { server, work };
}

const isRefused = ({ code }: { code?: unknown }) => code === 'REFUSED';

it('runs refused work again as soon as a newer resource serves, and refreshes once for all calls', async () => {
  const { start, rotate, secrets } = await harness();
  const resource = start({}, { isRefused });
  await resource.ready;
  const { server, work } = serverWith('p2');
  const refreshes = vi.spyOn(secrets, 'refresh');
  const calls = Array.from({ length: 20 }, () => resource.use(work));
  await waitFor(() => server.logins === 20 && refreshes.mock.calls.length > 0);
  expect(refreshes.mock.calls).toEqual([[{ trigger: 'auth-failure' }]]);
  for (const password of ['p2', 'p3', 'p4']) {
    await rotate({ password });
    await waitFor(() => resource.generation > 1);
    if (password === 'p2') expect(await Promise.all(calls)).toEqual(Array(20).fill('p2'));
    server.password = password;
    expect(await resource.use(work)).toBe(password);
  }
});

it('runs refused work again after a pause when the server accepts the same credential later', async () => {
  const { start } = await harness();
  const resource = start({}, { isRefused });
  await resource.ready;
  const { server, work } = serverWith('late');
  const call = resource.use(work);
  await waitFor(() => server.logins === 1);
  server.password = 'p1';
  expect(await call).toBe('p1');
  expect(server.logins).toBe(2);
});

it('waits past a wrong value, and asks less often the longer it waits', async () => {
  const { start, rotate } = await harness();
  const resource = start({}, { isRefused });
  await resource.ready;
  const { server, work } = serverWith('right');
  const call = resource.use(work);
  await rotate({ password: 'wrong' });
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(server.logins).toBeLessThan(7);
  await rotate({ password: 'right' });
  expect(await call).toBe('right');
});

it('fails with the error of the server after authFailureWaitMs, and at once with any other', async () => {
  const { start } = await harness();
  const resource = start({}, { isRefused, authFailureWaitMs: 600 });
  await resource.ready;
  const { server, work } = serverWith('never');
  const started = performance.now();
  await expect(resource.use(work)).rejects.toBeInstanceOf(Refused);
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(server.logins).toBe(2);
  const other = new Error('a constraint was violated');
  await expect(resource.use(() => Promise.reject(other))).rejects.toBe(other);
});

it('waits again for newer secrets when the server refuses the credential a second time, long after the first', async () => {
  const { start } = await harness();
  const resource = start({}, { isRefused, authFailureWaitMs: 400 });
  await resource.ready;
  const { server, work } = serverWith('never');
  await expect(resource.use(work)).rejects.toBeInstanceOf(Refused);
  expect(server.logins).toBe(2);
  const now = performance.now.bind(performance);
  const later = vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_000);
  onTestFinished(() => later.mockRestore());
  await expect(resource.use(work)).rejects.toBeInstanceOf(Refused);
  expect(server.logins).toBe(4);
});

it('rejects a call that waits when its resource or its store closes', async () => {
  const { start, secrets } = await harness();
  const resource = start({}, { isRefused });
  await resource.ready;
  const { server, work } = serverWith('never');
  const call = resource.use(work);
  await waitFor(() => server.logins === 1);
  await secrets.close();
  await resource.close();
  await expect(call).rejects.toMatchObject({ code: 'ROTATION_CLOSED' });
});

it('runs work once without the option, and refuses an option that is no function', async () => {
  const { start } = await harness();
  const resource = start();
  await resource.ready;
  const { server, work } = serverWith('never');
  await expect(resource.use(work)).rejects.toBeInstanceOf(Refused);
  expect(server.logins).toBe(1);
  expect(() => start({}, { isRefused: 'REFUSED' as never })).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  );
});
