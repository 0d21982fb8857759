import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { toCjs } from '../../scripts/cjs';

const cjs = (code: string) => toCjs(ts.createSourceFile('file.js', code, ts.ScriptTarget.Latest, true));

/** What `require` of the CJS form returns, where `require` of another file returns its entry in `modules`. */
function required(code: string, modules: Record<string, unknown> = {}): unknown {
  const module = { exports: {} };
  const require = (name: string) => modules[name];
  new Function('module', 'require', cjs(code))(module, require);
  return module.exports;
}

describe('the CJS build', () => {
  it('exports what the ES module exports, under the same names', () => {
    const code = `import{a,b as c}from"./x.js";import d from"assert/strict";import"./y.js"
;var e=1;e=c+1;function f(){return d(a+e)}class G{}
export{f,G as H,e};export{i,j as k}from"./z.js";`;
    const modules = {
      './x.js': { a: 1, b: 2 },
      'assert/strict': (n: number) => -n,
      './z.js': { i: 8, j: 9 },
    };
    expect(required(code, modules)).toEqual({
      f: expect.any(Function),
      H: expect.any(Function),
      e: 3,
      i: 8,
      k: 9,
    });
    expect((required(code, modules) as { f(): number }).f()).toBe(-4);
  });

  it('loads own files with require where the ES module imports them later, and packages still with import()', async () => {
    const code = 'const own=()=>import("./x.js"),other=()=>import("yaml");export{own,other};';
    expect(cjs(code)).toContain('import("yaml")');
    const { own } = required(code, { './x.js': { a: 1 } }) as { own(): Promise<unknown> };
    await expect(own()).resolves.toEqual({ a: 1 });
  });

  it('changes no text that only looks like an import or export', () => {
    const code = 'var a=`import{b}from"./x.js";`,c=/export{d};/,e={import:1,export:2};export{a,c,e};';
    expect(required(code)).toEqual({
      a: 'import{b}from"./x.js";',
      c: /export{d};/,
      e: { import: 1, export: 2 },
    });
  });

  it.each([
    ['a function that assigns to an export', 'var a=1;function b(){a=2}export{a,b};'],
    ['a function that counts an export up', 'var a=1;const b=()=>a++;export{a as c};'],
    ['a method that assigns to an export in a pattern', 'var a;class B{c(d){[{e:a}]=d}}export{a};'],
    ['a function that loops over an export', 'var a;function b(c){for(a of c);}export{a};'],
    ['import.meta', 'var a=import.meta.url;export{a};'],
    ['an await outside of functions', 'var a=await 1;export{a};'],
    ['a namespace import', 'import*as a from"./x.js";export{a};'],
    ['a default import of a package', 'import a from"yaml";export{a};'],
    ['an export of everything', 'export*from"./x.js";'],
    ['a default export', 'export default 1;'],
    ['an export in a declaration', 'export const a=1;'],
    ['a variable with a name that CommonJS uses', 'const module=1;export{module};'],
    ['two exports whose names would meet', 'var a=1;export{b as a}from"./x.js";export{a as c};'],
  ])('refuses %s, which would mean something else in CommonJS', (_what, code) => {
    expect(() => cjs(code)).toThrow();
  });
});
