import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concat, taint, type Text } from '../../base/text.ts'
import { readCommand } from './redis-command.ts'
import { mapReply } from './redis-reply.ts'
import { joinUrls, readServer } from './redis-servers.ts'

const outside = (text: string): Text => taint(text, '$domain')
const quoted = (text: string): Text => taint(text, '$domain', 'redis')

const commands: readonly {
  says: string
  query: readonly Text[]
  args?: readonly string[]
  wrong?: RegExp
}[] = [
  { says: 'R9: white space separates', query: ['GET \t a\n'], args: ['GET', 'a'] },
  { says: 'R9: a backslash makes it plain', query: ['SET k a\\ b\\\\c'], args: ['SET', 'k', 'a b\\c'] },
  {
    says: 'R7: what came from outside never separates',
    query: ['HGET ', outside('a b\nc'), ' d'],
    args: ['HGET', 'a b\nc', 'd'],
  },
  {
    says: 'R7: nor do its backslashes count',
    query: ['GET ', outside('a\\'), ' b'],
    args: ['GET', 'a\\', 'b'],
  },
  {
    says: 'R9: quote_redis is undone once',
    query: ['GET ', quoted('a\\ b\\\\\\ c')],
    args: ['GET', 'a b\\ c'],
  },
  {
    says: 'R7: pieces join to one argument',
    query: ['GET user:', outside('a b'), ':x'],
    args: ['GET', 'user:a b:x'],
  },
  {
    says: 'R9: bytes stay bytes',
    query: ['SET k ', outside('\0\xff\r\n')],
    args: ['SET', 'k', '\0\xff\r\n'],
  },
  { says: 'R-iii: an empty query is an error', query: [' '], wrong: /^REDIS: empty query$/ },
  {
    says: 'R7: the command is our own word',
    query: [outside('FLUSHALL')],
    wrong: /"FLUSHALL" came from outside \(\$domain\)/,
  },
  { says: 'R7: a part of it too', query: ['F', outside('LUSHALL')], wrong: /came from outside/ },
  {
    says: 'R7: a script is our own',
    query: ['EVAL ', outside('return 1'), ' 0'],
    wrong: /program for EVAL came from outside/,
  },
  {
    says: 'R4: the shared connection keeps its database',
    query: ['select 3'],
    wrong: /SELECT cannot be used in a lookup/,
  },
]
for (const { says, query, args, wrong } of commands) {
  test(says, () => {
    const command = readCommand(concat(query))
    if (command.is === 'command') assert.deepEqual([command.name, ...command.args], args)
    else assert.match(command.message, wrong ?? /^never$/)
  })
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const usual = { integers: 'boolean', nil: 'empty' } as const
const replies: readonly {
  says: string
  reply: unknown
  options?: Parameters<typeof mapReply>[1]
  gives: string | undefined
}[] = [
  { says: 'R5: a string as it is', reply: bytes('a\xff'), gives: 'a\xff' },
  { says: 'R5: a status as it is', reply: 'OK', gives: 'OK' },
  { says: 'R5: an integer that is not 0', reply: 7, gives: 'true' },
  { says: 'R5: 0', reply: 0, gives: 'false' },
  { says: 'R5: int=number', reply: 7, options: { ...usual, integers: 'number' }, gives: '7' },
  { says: 'R5: nil is an empty success', reply: null, gives: '' },
  { says: 'R5: nil=fail', reply: null, options: { ...usual, nil: 'fail' }, gives: undefined },
  { says: 'R5: an array is joined', reply: [bytes('a'), 2, null, bytes('b')], gives: 'a\n2\n\nb' },
  {
    says: 'R5: one level within is spread, deeper ones are left out',
    reply: [bytes('0'), [bytes('a'), [bytes('x')], 3]],
    gives: '0\na\n3',
  },
  { says: 'R5: an empty array is nothing found', reply: [], gives: undefined },
]
for (const { says, reply, options, gives } of replies) {
  test(says, () => {
    const result = mapReply(reply, options ?? usual)
    const found = reply === null ? { is: 'found', data: gives, keep: false } : { is: 'found', data: gives }
    assert.deepEqual(result, gives === undefined ? { is: 'none' } : found)
  })
}

const tcp = { host: '127.0.0.1', port: 6379, tls: undefined }
const servers: readonly { item: string; gives: unknown }[] = [
  { item: '127.0.0.1/10/', gives: { place: tcp, database: 10, user: undefined, password: undefined } },
  { item: '127.0.0.1//password', gives: { place: tcp, database: 0, user: undefined, password: 'password' } },
  { item: '127.0.0.1//', gives: { place: tcp, database: 0, user: undefined, password: undefined } },
  {
    item: '127.0.0.1:7/1/a)b(',
    gives: { place: { ...tcp, port: 7 }, database: 1, user: undefined, password: 'a)b(' },
  },
  {
    item: '[::1]:7//',
    gives: {
      place: { host: '::1', port: 7, tls: undefined },
      database: 0,
      user: undefined,
      password: undefined,
    },
  },
  {
    item: '(/run/r.sock)/2/p',
    gives: { place: { path: '/run/r.sock' }, database: 2, user: undefined, password: 'p' },
  },
  {
    item: 'rediss://u:p%2Fw@h/3?ca=/ca.pem',
    gives: {
      place: { host: 'h', port: 6379, tls: { ca: '/ca.pem' } },
      database: 3,
      user: 'u',
      password: 'p/w',
    },
  },
  {
    item: 'redis+sentinel://a,b:1/main/2',
    gives: {
      place: {
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 1 },
        ],
        master: 'main',
      },
      database: 2,
      user: undefined,
      password: undefined,
    },
  },
  { item: '127.0.0.1', gives: { message: 'incomplete Redis server data: 127.0.0.1' } },
  { item: '127.0.0.1/1', gives: { message: 'incomplete Redis server data: 127.0.0.1' } },
  { item: 'a/b/1/pw', gives: { message: 'unexpected slash in Redis server hostname: a/b' } },
  { item: '(/run/r.sock)/2', gives: { message: 'incomplete Redis server data: (/run/r.sock)' } },
  { item: 'h/x/', gives: { message: 'invalid Redis database number: x' } },
]
for (const { item, gives } of servers) test(`R2: ${item}`, () => assert.deepEqual(readServer(item), gives))

test('R2: URLs written with single colons in a list separated by colons are put together', () => {
  const items = [
    'a//',
    'redis',
    '//u',
    'p@h',
    '6380/1',
    'rediss',
    '//[x]',
    '1',
    'redis',
    '//h',
    'b:1//',
    '(/s)//',
  ]
  assert.deepEqual(joinUrls(items), [
    'a//',
    'redis://u:p@h:6380/1',
    'rediss://[x]:1',
    'redis://h',
    'b:1//',
    '(/s)//',
  ])
})
