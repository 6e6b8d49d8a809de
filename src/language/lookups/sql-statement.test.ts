import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, taint, type Text } from '../../base/text.ts'
import { safeStatement, type SqlRules } from './sql-statement.ts'

const pgsql: SqlRules = { type: 'pgsql', backslashes: false, doubleQuotedStrings: false }
const oldPgsql: SqlRules = { ...pgsql, backslashes: true }
const mysql: SqlRules = { type: 'mysql', backslashes: true, doubleQuotedStrings: true }
const noEscapes: SqlRules = { ...mysql, backslashes: false }
const ansi: SqlRules = { ...mysql, doubleQuotedStrings: false }
const sqlite: SqlRules = { type: 'sqlite', backslashes: false, doubleQuotedStrings: false }

const cases: readonly {
  says: string
  rules: SqlRules
  query: readonly (string | { raw: string } | { quoted: string; by?: string })[]
  sql?: string
  refused?: RegExp
}[] = [
  { says: 'a trusted query is sent as it is', rules: pgsql, query: ["select '"], sql: "select '" },
  {
    says: 'an unquoted piece is refused, with the variable and what to write',
    rules: pgsql,
    query: ["select '", { raw: 'x' }, "'"],
    refused:
      /^tainted search query is not properly quoted: select 'x' \(\$local_part must be written as '\$\{quote_pgsql:\$local_part\}'\)$/,
  },
  {
    says: 'quoting for another type does not count',
    rules: pgsql,
    query: ["select '", { quoted: 'x', by: 'mysql' }, "'"],
    refused: /not properly quoted/,
  },
  {
    says: 'backslashes of quote_pgsql are undone where they are plain characters',
    rules: pgsql,
    query: ["select '", { quoted: "a\\\\b''c\\nd\\\"" }, "'"],
    sql: "select 'a\\b''c\nd\"'",
  },
  {
    says: 'they stay without standard_conforming_strings',
    rules: oldPgsql,
    query: ["select '", { quoted: "a\\\\b''" }, "'"],
    sql: "select 'a\\\\b'''",
  },
  {
    says: "and in E'...'",
    rules: pgsql,
    query: ["select E'", { quoted: "a\\\\b''" }, "'"],
    sql: "select E'a\\\\b'''",
  },
  {
    says: 'quotes of quote_mysql are doubled with NO_BACKSLASH_ESCAPES',
    rules: noEscapes,
    query: ["select '", { quoted: 'a\\\'b\\\\\\"' }, '\', "', { quoted: '\\"' }, '"'],
    sql: 'select \'a\'\'b\\"\', """"',
  },
  {
    says: 'a piece cut in the middle of a pair of quotes is refused',
    rules: sqlite,
    query: ["select '", { quoted: "x'" }, "'"],
    refused: /"x'" from \$local_part would end its string/,
  },
  {
    says: 'a piece cut in the middle of an escape is refused',
    rules: mysql,
    query: ["select '", { quoted: 'x\\' }, "'"],
    refused: /would end its string/,
  },
  {
    says: 'a piece that closes and opens again is refused',
    rules: sqlite,
    query: ["select '", { quoted: "x' || '" }, "'"],
    refused: /would end its string/,
  },
  {
    says: 'outside a string a number is taken',
    rules: mysql,
    query: ['select * from t where port=', { quoted: '25' }],
    sql: 'select * from t where port=25',
  },
  {
    says: 'outside a string nothing else is',
    rules: mysql,
    query: ['select * from t where port=', { quoted: '1 or 1=1' }],
    refused: /"1 or 1=1" from \$local_part stands outside/,
  },
  {
    says: 'a name in quotes protects nothing',
    rules: ansi,
    query: ['select "', { quoted: 'x' }, '"'],
    refused: /stands outside/,
  },
  {
    says: 'a comment protects nothing, nested ones neither',
    rules: pgsql,
    query: ["select 1 /* /* */ '", { quoted: 'x' }, "' */"],
    refused: /stands outside/,
  },
  {
    says: 'a quote within a comment opens nothing',
    rules: pgsql,
    query: ["select 1 -- it's\n, '", { quoted: 'x' }, "'"],
    sql: "select 1 -- it's\n, 'x'",
  },
  {
    says: 'dollar quoting protects nothing',
    rules: pgsql,
    query: ['select $a$', { quoted: '$a$' }, '$a$'],
    refused: /stands outside/,
  },
  {
    says: 'a NUL byte is refused',
    rules: pgsql,
    query: ["select '", { quoted: 'a\0b' }, "'"],
    refused: /NUL byte/,
  },
  {
    says: 'several pieces, each in its string',
    rules: sqlite,
    query: ["select '", { quoted: "o''b" }, "', '", { quoted: "''" }, "', [it's], '", { quoted: 'c' }, "'"],
    sql: "select 'o''b', '''', [it's], 'c'",
  },
]

for (const { says, rules, query, sql, refused } of cases) {
  test(`${rules.type}: ${says}`, () => {
    const text: Text = concat(
      query.map((part) => {
        if (typeof part === 'string') return part
        if ('raw' in part) return taint(part.raw, '$local_part')
        return taint(part.quoted, '$local_part', part.by ?? rules.type)
      }),
    )
    const statement = safeStatement(text, rules)
    if (statement.is === 'statement') assert.equal(statement.sql, sql)
    else assert.match(statement.message, refused ?? /^never$/)
  })
}
