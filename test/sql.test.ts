/** SQL lookups against real PostgreSQL, MariaDB and SQLite. Formats are those that Exim 4.96 was observed to give. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { taint, textOf } from '../src/base/text.ts'
import type { MainSettings } from '../src/language/config/options/main.ts'
import {
  fetchMariadb,
  fetchPostgres,
  startMariadb,
  startPostgres,
  type Database,
} from './support/databases.ts'
import { expansionBench, type Bench } from './support/expansion-context.ts'
import { hostileTexts } from './support/hostile-texts.ts'
import { freePort, temporaryFolder } from './support/server.ts'
import { Expandable } from '../src/base/expandable.ts'

type Type = 'pgsql' | 'mysql' | 'sqlite'
const folder = temporaryFolder('sql')
after(() => folder.remove())

/** Expands a text with `$sender_data` set from outside. */
async function expand(bench: Bench, text: string, data = ''): Promise<string> {
  bench.context.variables.set('sender_data', taint(data, '$sender_data'))
  const result = await bench.expander.expandText(text, bench.context)
  return isFailure(result) ? `${result.kind}: ${result.message}` : textOf(result)
}

/** What Exim 4.96 gives; `*` stands for the type. One text for all databases, or one for each. */
const observed: readonly (readonly [string, string | Readonly<Record<Type, string>>])[] = [
  ['create table t(a text, b text, c int)', { pgsql: 'no', mysql: 'y:0', sqlite: 'no' }],
  ["insert into t values('x y','',1),('q\"q','z=1',null)", 'y:2'],
  ['update t set c=2 where c=7', 'y:0'],
  ['select a from t order by a desc', 'y:x y\nq"q'],
  ['select b, c from t where c=1', 'y:b="" c=1 '],
  [
    'select a, c from t where c is null',
    { pgsql: 'y:a=q"q c="" ', mysql: 'y:a=q"q c="" ', sqlite: 'y:a=q"q c=<NULL> ' },
  ],
  ['select a, b from t order by a desc', 'y:a="x y" b="" \na=q"q b=z=1 '],
  ['select b from t where c=1', 'y:'],
  ['select a from t where c=77', 'no'],
  ["select '\"x' as a, 'x\"' as b", 'y:a="\\"x" b=x" '],
  ["select 'a=b' as c, 'a:b' as e", 'y:c=a=b e=a:b '],
  ['', 'no'],
  ['select 1;', 'y:1'],
  ['delete from t where c=1', 'y:1'],
]

function describeType(
  type: Type,
  missing: string | false,
  start: () => Promise<{ readonly settings: Partial<MainSettings>; readonly stop: () => Promise<void> }>,
): void {
  describe(type, { skip: missing }, () => {
    let bench: Bench
    let stop: () => Promise<void>
    before(async () => {
      const started = await start()
      stop = started.stop
      bench = expansionBench({ settings: started.settings })
    })
    after(async () => {
      bench.close()
      await stop()
    })
    const lookup = (query: string, data?: string): Promise<string> =>
      expand(bench, `\${lookup ${type}{${query}}{y:$value}{no}}`, data)

    test('results have the form of Exim', async () => {
      for (const [query, gives] of observed)
        assert.equal(await lookup(query), typeof gives === 'string' ? gives : gives[type], query)
    })

    test('a mistake in the statement defers', async () => {
      assert.match(await lookup('selec 1'), /^defer: lookup of "selec 1" gave DEFER: .*(?:syntax|near)/)
    })

    test('text from outside must be quoted for this database', async () => {
      const other = type === 'mysql' ? 'pgsql' : 'mysql'
      for (const written of ['$sender_data', `\${quote_${other}:$sender_data}`, `\${lc:$sender_data}`]) {
        const said = await lookup(`select '${written}'`, 'X')
        assert.match(said, /gave DEFER: tainted search query is not properly quoted: select '[Xx]'/)
      }
      const said = await lookup('select $sender_data', '1 or 1=1')
      assert.match(
        said,
        new RegExp(`\\$sender_data must be written as '\\$\\{quote_${type}:\\$sender_data\\}'`),
      )
    })

    test('values come back as they went in', async () => {
      for (const value of [
        "o'brien",
        'a\\b',
        '\\',
        "\\'",
        '"',
        '%_',
        'ü€😀'.normalize(),
        '\n\t\r',
        "''",
        '$1',
        '?',
        ':a',
      ]) {
        const bytes = Buffer.from(value, 'utf8').toString('latin1')
        assert.equal(await lookup(`select '\${quote_${type}:$sender_data}'`, bytes), `y:${bytes}`)
      }
    })

    test('no hostile text leaves its string', async () => {
      assert.ok(hostileTexts.length >= 200)
      await lookup('create table users(name varchar(300), secret varchar(20))')
      await lookup("insert into users values('admin','top'),('me','mine')")
      for (const text of hostileTexts) {
        const bytes = Buffer.from(text, 'utf8').toString('latin1')
        const found = await lookup(
          `select secret from users where name='\${quote_${type}:$sender_data}'`,
          bytes,
        )
        assert.ok(found === 'no' || found.includes('cannot hold a NUL byte'), `${text}: ${found}`)
        const bare = await lookup(`select secret from users where name=\${quote_${type}:$sender_data}`, bytes)
        assert.ok(
          /not properly quoted|NUL byte|^no$/.test(bare) || /^\d+(\.\d+)?$/.test(text),
          `${text}: ${bare}`,
        )
      }
      assert.equal(await lookup('select count(*) from users'), 'y:2')
    })

    test('parameters are values, whatever they hold', async () => {
      const cast = type === 'pgsql' ? '::text' : ''
      const ask = (words: string, data: string): Promise<string> =>
        expand(bench, `\${lookup ${type},${words}}`, data)
      for (const text of hostileTexts) {
        if (text.includes('\0')) continue
        const bytes = Buffer.from(text, 'utf8').toString('latin1')
        const said = await ask(
          `params=1 {select name from users where name=$1${cast}}{$sender_data}{found}{none}`,
          bytes,
        )
        assert.equal(said, 'none', text)
      }
      const both = `params=2 {select secret from users where name=$2${cast} and '$1' <> $1${cast}}{$sender_data}{me}{y:$value}{n}`
      assert.equal(await ask(both, "'"), 'y:mine')
      assert.equal(await ask(`params {select secret from users where name=$1${cast}}{admin}`, ''), 'top')
      assert.match(
        await ask('params {select $2}{a}', ''),
        /the query has \$2, but there is no such parameter/,
      )
      assert.match(await ask('params=2 {select $2}{a}', ''), /the lookup must have 2 parameters/)
    })

    test('a slow statement is given up', async () => {
      const slow = {
        pgsql: 'select pg_sleep(3)',
        mysql: 'select sleep(3)',
        sqlite: 'with recursive n(i) as (select 1 union all select i+1 from n) select max(i) from n',
      }[type]
      const before = Date.now()
      const said = await expand(bench, `\${lookup ${type},timeout=300ms{${slow}}}`)
      assert.match(said, /^defer: /)
      assert.ok(Date.now() - before < 2_500)
      const onTable = {
        pgsql: 'select pg_sleep(3) from users',
        mysql: 'select sleep(3) from users',
        sqlite: 'with recursive n(i) as (select 1 union all select i+1 from n) select max(i) from n, users',
      }[type]
      assert.match(await expand(bench, `\${lookup ${type},timeout=300ms{${onTable}}}`), /^defer: /)
      // No lock stays behind.
      assert.equal(
        await lookup("update users set secret='mine' where name='me'"),
        type === 'mysql' ? 'y:0' : 'y:1',
      )
    })

    test('many at once share a bounded number of connections', async () => {
      const all = await Promise.all(
        Array.from({ length: 60 }, (_, i) => expand(bench, `\${lookup ${type}{select ${i}}}`)),
      )
      assert.deepEqual(
        all,
        Array.from({ length: 60 }, (_, i) => String(i)),
      )
    })
  })
}

const postgres = fetchPostgres()
describeType('pgsql', 'missing' in postgres ? postgres.missing : false, async () => {
  if ('missing' in postgres) throw new Error(postgres.missing)
  const server = await startPostgres(postgres)
  const dead = `127.0.0.1:${await freePort()}/postgres/mail/secret`
  return {
    // The first is dead: the second stands in.
    settings: { pgsql_servers: [dead, `127.0.0.1:${server.port}/postgres/mail/secret`] },
    stop: () => server.stop(),
  }
})

const mariadb = fetchMariadb()
describeType('mysql', 'missing' in mariadb ? mariadb.missing : false, async () => {
  if ('missing' in mariadb) throw new Error(mariadb.missing)
  const server = await startMariadb(mariadb)
  const dead = `127.0.0.1:${await freePort()}/mail/mail/secret`
  return {
    settings: { mysql_servers: [dead, `127.0.0.1:${server.port}/mail/mail/secret`] },
    stop: () => server.stop(),
  }
})

describe('forms of servers', {
  skip: 'missing' in mariadb ? mariadb.missing : 'missing' in postgres && postgres.missing,
}, () => {
  const running: Database[] = []
  let bench: Bench
  let items: Readonly<Record<'pgsql' | 'mysql', string>>
  before(async () => {
    if ('missing' in mariadb || 'missing' in postgres) return
    const [pgsql, mysql] = await Promise.all([startPostgres(postgres), startMariadb(mariadb)])
    running.push(pgsql, mysql)
    bench = expansionBench()
    items = {
      pgsql: `(${pgsql.socket})/postgres/mail/secret`,
      mysql: `localhost(${mysql.socket})/mail/mail/secret`,
    }
  })
  after(async () => {
    bench.close()
    await Promise.all(running.map((each) => each.stop()))
  })

  for (const type of ['pgsql', 'mysql'] as const) {
    const product = type === 'pgsql' ? 'PostgreSQL' : 'MySQL'
    const data = type === 'pgsql' ? 'pgSQL' : 'MySQL'
    test(`${type}: servers= after the type and before the query, over a socket`, async () => {
      assert.equal(await expand(bench, `\${lookup ${type},servers=${items[type]} {select 1}}`), '1')
      assert.equal(await expand(bench, `\${lookup ${type}{servers=${items[type]}; select 2}}`), '2')
      const hostile = await expand(bench, `\${lookup ${type}{servers=$sender_data; select 2}}`, 'h/d/u/p')
      assert.match(hostile, /DEFER: tainted server list/)
    })
    const wrong: readonly (readonly [string, string])[] = [
      [',servers=nohost{select 1}', `${product} server "nohost" not found in ${type}_servers`],
      [',servers=127.0.0.1/a{select 1}', `incomplete ${data} server data: 127.0.0.1`],
      [',servers=127.0.0.1/a/b/c/d{select 1}', `unexpected slash in ${data} server hostname: 127.0.0.1/a`],
      ['{servers=127.0.0.1 select 1}', `missing ; after "servers=" in ${product} lookup`],
      ['{select 1}', `no ${product} servers defined (${type}_servers option)`],
    ]
    for (const [words, message] of wrong) {
      test(`${type}: ${message}`, async () => {
        const said = await expand(bench, `\${lookup ${type}${words}}`)
        assert.ok(said.endsWith(`gave DEFER: ${message}`), said)
      })
    }
    test(`${type}: a wrong password is no secret told`, async () => {
      const item = items[type].replace('secret', 'SeCrEt')
      const said = await expand(bench, `\${lookup ${type},servers=${item} {select 1}}`)
      assert.match(said, new RegExp(`${type.toUpperCase()} connection failed: `))
      assert.doesNotMatch(said.replace(item, ''), /SeCrEt/)
    })
    test(`${type}: a transaction left open ends`, async () => {
      const ask = (sql: string): Promise<string> =>
        expand(bench, `\${lookup ${type},servers=${items[type]} {${sql}}{y:$value}{n}}`)
      await ask('create table left_open(i int)')
      await ask('begin')
      await ask('insert into left_open values(1)')
      assert.equal(await ask('begin'), type === 'mysql' ? 'y:0' : 'n')
      assert.equal(await ask('select count(*) from left_open'), 'y:1')
    })
    test(`${type}: other rules for literals change no value and let nothing out`, async () => {
      const ask = (sql: string, value = ''): Promise<string> =>
        expand(bench, `\${lookup ${type},servers=${items[type]} {${sql}}{y:$value}{n}}`, value)
      const modes =
        type === 'mysql'
          ? [
              "set global sql_mode='NO_BACKSLASH_ESCAPES'",
              "set global sql_mode='ANSI_QUOTES'",
              "set global sql_mode=''",
            ]
          : [
              'alter system set standard_conforming_strings=off',
              'alter system reset standard_conforming_strings',
            ]
      for (const mode of modes) {
        await ask(mode)
        if (type === 'pgsql') await ask('select pg_reload_conf()')
        bench.close()
        bench = expansionBench()
        for (const value of ["o'b", '\\', "\\'", "x' or '1'='1", "\\' or 1=1 -- ", '"', 'n\\n'])
          assert.equal(await ask(`select '\${quote_${type}:$sender_data}'`, value), `y:${value}`, mode)
      }
    })
  }
})

describeType('sqlite', false, () =>
  Promise.resolve({
    settings: { sqlite_dbfile: new Expandable(join(folder.path, 'db.sqlite')) },
    stop: () => Promise.resolve(),
  }),
)
