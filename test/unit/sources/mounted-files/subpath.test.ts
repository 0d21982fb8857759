import { describe, expect, it } from 'vitest';
import { findSubPathMounts } from '../../../../src/sources/mounted-files/mountinfo';

const POD = '/pods/0ac3/volumes/kubernetes.io~csi/secrets/mount';
const VOLUME = '/..2026_11_23_20_01_21.1853148849';

// As recorded inside containers: a whole volume, a file by subPath, and the same file after the first rotation.
const WHOLE = `1201 1180 0:345 / /mnt/secrets-store ro,relatime - tmpfs tmpfs ro,size=8132480k`;
const FILE = `1202 1180 0:345 ${VOLUME}/db-password /etc/app/db-password ro,relatime - tmpfs tmpfs ro`;
const DELETED = `1203 1180 0:345 ${VOLUME}/db-password//deleted /etc/app/db-password ro,relatime - tmpfs tmpfs ro`;
const DIRECTORY = `1204 1180 8:1 ${POD}${VOLUME}/tls /etc/app/tls ro,relatime shared:7 - ext4 /dev/sda1 rw`;
const OTHERS = [
  '1180 1100 0:300 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/x',
  '1181 1180 0:301 / /proc rw,nosuid - proc proc rw',
];

const mountinfo = (...lines: string[]) => `${[...OTHERS, ...lines].join('\n')}\n`;

describe('findSubPathMounts', () => {
  it.each([
    ['a file before the first rotation', FILE, '/etc/app/db-password'],
    ['a file after the first rotation', DELETED, '/etc/app/db-password'],
    ['a directory of a volume on disk', DIRECTORY, '/etc/app/tls'],
  ])('finds a subPath mount of %s at and below the given path', (_, line, path) => {
    for (const root of ['/etc/app', '/etc/app/', path]) {
      expect(findSubPathMounts(mountinfo(line), root).map((found) => found.path)).toEqual([path]);
    }
  });

  it('finds no subPath mount in a whole volume, a sibling, a path below or a malformed mountinfo', () => {
    expect(findSubPathMounts(mountinfo(WHOLE), '/mnt/secrets-store')).toEqual([]);
    expect(findSubPathMounts(mountinfo(FILE), '/etc/ap')).toEqual([]);
    expect(findSubPathMounts(mountinfo(FILE), '/etc/app/db-password/x')).toEqual([]);
    expect(findSubPathMounts('', '/etc/app')).toEqual([]);
    expect(findSubPathMounts('garbage\n\n1 2\n', '/etc/app')).toEqual([]);
  });

  it('finds a subPath mount under a path with spaces, which mountinfo escapes', () => {
    const line = FILE.replaceAll('/etc/app', '/etc/my\\040app');
    expect(findSubPathMounts(mountinfo(line), '/etc/my app')).toEqual([
      { path: '/etc/my app/db-password', evidence: `${VOLUME}/db-password` },
    ]);
  });
});
