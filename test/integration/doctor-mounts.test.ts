import {
  chmodSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describeFinding } from 'hot-secrets/doctor';
import { describe, expect, it } from 'vitest';
import { asOtherUser, canDropPrivileges, otherUser } from '../support/as-other-user';
import { complaints, examine, folder, mountLine, mountOf, type SetUp } from '../support/doctor-stage';

const VALUE = 'Marked-Value-7c1f';
const POD = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };
const MOUNTINFO = '/proc/self/mountinfo';
const GENERATION = '/..2026_11_23_20_01_21.1853148849';

const of = (path: string, more: SetUp = {}): SetUp => ({
  ...more,
  values: [VALUE],
  options: { mounts: [path], ...more.options },
});

async function kubernetes(): Promise<string> {
  return (await mountOf({ password: VALUE })).path;
}

async function plain(): Promise<string> {
  return (await mountOf({ password: VALUE }, { layout: 'plain' })).path;
}

/** A mount whose generation has the name of a time long ago. */
async function old(): Promise<string> {
  const path = await kubernetes();
  const fresh = '..2020_01_02_03_04_05.123';
  renameSync(join(path, readlinkSync(join(path, '..data'))), join(path, fresh));
  unlinkSync(join(path, '..data'));
  symlinkSync(fresh, join(path, '..data'));
  return path;
}

type Row = readonly [set: string, build: () => Promise<SetUp>, code: string, next: RegExp];

const BROKEN: readonly Row[] = [
  ['the mount does not exist', async () => of('/no/such/mount'), 'MOUNT_MISSING', /mountPath/],
  [
    'the default mount does not exist in a pod',
    async () => ({ environment: POD }),
    'MOUNT_MISSING',
    /mountPath/,
  ],
  [
    'the mount of the environment does not exist',
    async () => ({ environment: { SECRETS_PATH: '/no/such' } }),
    'MOUNT_MISSING',
    /SECRETS_PATH/,
  ],
  [
    'the path is one of the files',
    async () => of(join(await plain(), 'password')),
    'MOUNT_NOT_DIRECTORY',
    /directory/,
  ],
  ['the mount is empty', async () => of(folder()), 'MOUNT_EMPTY', /SecretProviderClass/],
  [
    '..data leads nowhere',
    async () => {
      const path = await kubernetes();
      rmSync(join(path, readlinkSync(join(path, '..data'))), { recursive: true });
      unlinkSync(join(path, 'password'));
      return of(path);
    },
    'MOUNT_EMPTY',
    /events of the pod/,
  ],
  [
    '..data is gone',
    async () => {
      const path = await kubernetes();
      unlinkSync(join(path, '..data'));
      unlinkSync(join(path, 'password'));
      return of(path);
    },
    'MOUNT_EMPTY',
    /events of the pod/,
  ],
  [
    '..data leads out of the mount',
    async () => {
      const path = await kubernetes();
      const other = await plain();
      unlinkSync(join(path, '..data'));
      symlinkSync(other, join(path, '..data'));
      return of(path);
    },
    'FILE_OUTSIDE_MOUNT',
    /inside the mount/,
  ],
  [
    'a link of an object that was removed is left over',
    async () => {
      const path = await kubernetes();
      symlinkSync('..data/removed', join(path, 'removed'));
      return of(path);
    },
    'LINK_DANGLING',
    /events of the pod/,
  ],
  [
    'somebody wrote an ordinary file into the mount',
    async () => {
      const path = await kubernetes();
      writeFileSync(join(path, 'extra'), VALUE);
      return of(path);
    },
    'FILE_STRAY',
    /SecretProviderClass/,
  ],
  [
    'the writer stopped in the middle of an update',
    async () => {
      const path = await kubernetes();
      symlinkSync('..2026_01_01_00_00_00.1', join(path, '..data_tmp'));
      return of(path);
    },
    'SWAP_UNFINISHED',
    /CSI driver/,
  ],
  [
    'a file is a link out of the mount',
    async () => {
      const path = await plain();
      const other = join(folder(), 'other');
      writeFileSync(other, VALUE);
      symlinkSync(other, join(path, 'link'));
      return of(path);
    },
    'FILE_OUTSIDE_MOUNT',
    /into the mount/,
  ],
  [
    'a file is larger than any secret',
    async () => of((await mountOf({ dump: VALUE.repeat(80_000) })).path),
    'FILE_TOO_LARGE',
    /maxFileBytes/,
  ],
  [
    'everybody may write to a file',
    async () => {
      const path = await plain();
      chmodSync(join(path, 'password'), 0o666);
      return of(path);
    },
    'FILE_WORLD_WRITABLE',
    /readOnly: true|chmod o-w/,
  ],
  [
    'everybody may write to the directory',
    async () => {
      const path = await plain();
      chmodSync(path, 0o777);
      return of(path);
    },
    'FILE_WORLD_WRITABLE',
    /chmod o-w/,
  ],
  [
    'a file is mounted by subPath',
    async () => {
      const path = await plain();
      return of(path, { texts: { [MOUNTINFO]: mountLine(`${GENERATION}/password`, `${path}/password`) } });
    },
    'MOUNT_SUBPATH',
    /whole volume/,
  ],
  [
    'a file is mounted by subPath, and rotated since',
    async () => {
      const path = await plain();
      const line = mountLine(`${GENERATION}/password//deleted`, `${path}/password`);
      return of(path, { texts: { [MOUNTINFO]: line } });
    },
    'MOUNT_SUBPATH',
    /whole volume/,
  ],
  [
    'a single file is bound into the mount',
    async () => {
      const path = await plain();
      const line = mountLine('/home/me/password', `${path}/password`, 'ext4');
      return of(path, { texts: { [MOUNTINFO]: line } });
    },
    'MOUNT_SINGLE_FILE',
    /directory that contains/,
  ],
  [
    'a single file that is bound into the mount was replaced',
    async () => {
      const path = await plain();
      const line = mountLine('/home/me/password//deleted', `${path}/password`, 'ext4');
      return of(path, { texts: { [MOUNTINFO]: line } });
    },
    'MOUNT_REPLACED',
    /Restart/,
  ],
  [
    'the files are older than the interval of rotation',
    async () => of(await old(), { options: { expectedRotationDays: 30 } }),
    'GENERATION_OLD',
    /enable-secret-rotation/,
  ],
  [
    'plain files are older than the interval of rotation',
    async () => {
      const path = await plain();
      utimesSync(join(path, 'password'), 1_600_000_000, 1_600_000_000);
      return of(path, { options: { expectedRotationDays: 30 } });
    },
    'GENERATION_OLD',
    /rotation is on/,
  ],
  ...['nfs4', 'cifs', '9p', 'fuse.sshfs'].map(
    (fileSystem): Row => [
      `the mount lies on ${fileSystem}`,
      async () => {
        const path = await plain();
        return of(path, { texts: { [MOUNTINFO]: mountLine('/', path, fileSystem) } });
      },
      'MOUNT_NETWORK',
      /pollIntervalMs/,
    ],
  ),
  [
    'the directory of a pod is a part of the image',
    async () =>
      of(await plain(), { environment: POD, texts: { [MOUNTINFO]: mountLine('/', '/', 'overlay') } }),
    'MOUNT_NOT_VOLUME',
    /Mount the volume/,
  ],
];

describe('the doctor on a broken mount', () => {
  it.each(BROKEN)('names the fault and its fix when %s', async (_set, build, code, next) => {
    const diagnosis = await examine(await build());
    expect(complaints(diagnosis)).toEqual([code]);
    expect(describeFinding(diagnosis.findings[0] as never).next).toMatch(next);
  });

  it.skipIf(!canDropPrivileges)('names mode, owner, user and setting when a file is unreadable', async () => {
    const { path } = await mountOf({ password: VALUE, other: 'b' }, { mode: 0o400 });
    const user = { uid: otherUser, gid: otherUser, groups: [] };
    const root = path.slice(0, path.lastIndexOf('/'));
    chmodSync(root, 0o755);
    const diagnosis = await asOtherUser(() => examine(of(path, { user })));
    if (process.geteuid?.() !== 0) return;
    expect(complaints(diagnosis)).toEqual(['FILE_UNREADABLE', 'FILE_UNREADABLE']);
    const { what, next } = describeFinding(diagnosis.findings[0] as never);
    expect(what).toContain(`mode 0400, owner 0:0, this process runs as uid ${otherUser}`);
    expect(next).toMatch(/filePermission: "0444".*fsGroup does not apply to CSI.*defaultMode: 0440/);
  });

  it.skipIf(process.geteuid?.() !== 0)('asks for the group when only that may read a file', async () => {
    const { path } = await mountOf({ password: VALUE }, { mode: 0o440 });
    chmodSync(path.slice(0, path.lastIndexOf('/')), 0o755);
    const user = { uid: otherUser, gid: otherUser, groups: [1000] };
    const diagnosis = await asOtherUser(() => examine(of(path, { user })));
    expect(complaints(diagnosis)).toEqual(['FILE_UNREADABLE']);
    const { next } = describeFinding(diagnosis.findings[0] as never);
    expect(next).toContain('supplementalGroups: [0] or fsGroup: 0');
  });

  it.skipIf(process.geteuid?.() !== 0)('says who owns a mount that cannot be entered', async () => {
    const { path } = await mountOf({ password: VALUE }, { layout: 'plain' });
    chmodSync(path.slice(0, path.lastIndexOf('/')), 0o755);
    chmodSync(path, 0o700);
    const user = { uid: otherUser, gid: otherUser, groups: [] };
    const diagnosis = await asOtherUser(() => examine(of(path, { user })));
    expect(complaints(diagnosis)).toEqual(['MOUNT_UNREADABLE']);
    const { what, next } = describeFinding(diagnosis.findings[0] as never);
    expect(what).toContain('mode 0700, owner 0:0');
    expect(next).toContain(`chown -R ${otherUser}`);
  });

  it('notes files that every user may read, and an old generation without a known interval', async () => {
    const diagnosis = await examine(of(await old()));
    expect(complaints(diagnosis)).toEqual([]);
    expect(diagnosis.findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['FILE_WORLD_READABLE', 'GENERATION_UNCHANGED']),
    );
  });
});

describe('the facts about a mount', () => {
  it.each([
    ['csi', '/var/lib/kubelet/pods/0ac3/volumes/kubernetes.io~csi/secrets/mount'],
    ['secret', '/var/lib/kubelet/pods/0ac3/volumes/kubernetes.io~secret/db'],
    ['configmap', '/var/lib/kubelet/pods/0ac3/volumes/kubernetes.io~configmap/settings'],
    ['projected', '/var/lib/kubelet/pods/0ac3/volumes/kubernetes.io~projected/all'],
    ['kubernetes', '/'],
  ])('names the kind %s', async (kind, root) => {
    const path = await kubernetes();
    const texts = { [MOUNTINFO]: mountLine('/', '/', 'overlay') + mountLine(root, path, 'tmpfs', 'ro') };
    const { facts } = await examine(of(path, { texts }));
    expect(facts.mounts).toEqual([
      { path, kind, fileSystem: 'tmpfs', writtenAt: expect.any(Date), files: 1 },
    ]);
    const age = Date.now() - (facts.mounts[0]?.writtenAt?.getTime() ?? 0);
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(60_000);
  });

  it('names a plain directory, a single file and an absent mount', async () => {
    const path = await plain();
    mkdirSync(join(path, 'sub'));
    const kinds = await Promise.all(
      [path, join(path, 'password'), '/no/such'].map(
        async (one) => (await examine(of(one))).facts.mounts[0]?.kind,
      ),
    );
    expect(kinds).toEqual(['plain', 'file', 'absent']);
  });
});
