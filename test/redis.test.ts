/** Redis lookups against real servers: alone, behind passwords, sockets and TLS, in a cluster, with a sentinel. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { taint, textOf } from '../src/base/text.ts'
import {
  fetchRedis,
  startRedis,
  startSentinel,
  type Database,
  type RedisOptions,
} from './support/databases.ts'
import { noOpenssl, selfSigned } from './support/certificates.ts'
import { expansionBench } from './support/expansion-context.ts'
import { hostileTexts } from './support/hostile-texts.ts'
import { freePort, postern, startServer, temporaryFolder, type StartedServer } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const program = fetchRedis()
const skip = 'missing' in program ? program.missing : false

describe('redis', { skip }, () => {
  const folder = temporaryFolder('redis-lookups')
  const running: Database[] = []
  let plain: Database
  async function start(options: RedisOptions = {}): Promise<Database> {
    if ('missing' in program) throw new Error(program.missing)
    const server = await startRedis(program, options)
    running.push(server)
    return server
  }

  /** Expands texts one after the other with these servers; failures as `defer: ...`. */
  async function expand(servers: readonly string[] | undefined, ...texts: string[]): Promise<string[]> {
    const bench = expansionBench({
      settings: { redis_servers: servers },
      context: { address: { localPart: 'a b', domain: "d omain'" } },
    })
    const results: string[] = []
    for (const text of texts) {
      const result = await bench.expander.expandText(text, bench.context)
      results.push(isFailure(result) ? `${result.kind}: ${result.message}` : textOf(result))
    }
    bench.close()
    return results
  }
  const at = (server: Database, rest: string = '//'): string => `127.0.0.1:${server.port}${rest}`

  before(async () => {
    plain = await start()
  })
  after(async () => {
    await Promise.all(running.map((each) => each.stop()))
    folder.remove()
  })

  test('R1: without servers a lookup defers', async () => {
    assert.deepEqual(await expand(undefined, '${lookup redis{GET a}}'), [
      'defer: lookup of "GET a" gave DEFER: no Redis servers defined (redis_servers option)',
    ])
  })

  test('R1, R10: servers= of a query stands in for the option; a bare name is looked up in it', async () => {
    const texts = [
      `\${lookup redis,servers=127.0.0.1::${plain.port}/3/ {SET r10 three}}`,
      `\${lookup redis{servers=127.0.0.1::${plain.port}/3/; GET r10}}`,
      '${lookup redis,servers=nohost{GET r10}}',
    ]
    assert.deepEqual(await expand(undefined, ...texts), [
      'OK',
      'three',
      'defer: lookup of "GET r10" gave DEFER: Redis server "nohost" not found in redis_servers',
    ])
    assert.deepEqual(
      await expand([at(plain, '/3/')], `\${lookup redis,servers=127.0.0.1::${plain.port}{GET r10}}`),
      ['three'],
    )
  })

  test('R2: database and password, each form', async () => {
    const locked = await start({ arguments: ['--requirepass', 'se cret'] })
    const account = '${lookup redis{ACL SETUSER mail on >pw ~* +@all}}'
    assert.deepEqual(await expand([at(locked, '//se cret')], account), ['OK'])
    const set = '${lookup redis{SET db x}}'
    const get = '${lookup redis{GET db}{y:$value}{n}}'
    assert.deepEqual(await expand([at(plain, '/10/')], set, get), ['OK', 'y:x'])
    assert.deepEqual(await expand([at(plain)], get), ['y:'])
    assert.deepEqual(await expand([at(locked, '/1/se cret')], set, get), ['OK', 'y:x'])
    assert.deepEqual(await expand([`redis://mail:pw@127.0.0.1:${locked.port}/1`], get), ['y:x'])
    assert.deepEqual(await expand([`(${locked.socket})/1/se cret`], get), ['y:x'])
    const [noAuth] = await expand([at(locked)], get)
    assert.match(noAuth ?? '', /gave DEFER: REDIS: lookup result failed: NOAUTH /)
    for (const server of [
      at(locked, '//wrong'),
      `redis://mail:no@127.0.0.1:${locked.port}`,
      at(plain, '//unasked'),
    ]) {
      const [refused] = await expand([server], get)
      assert.match(refused ?? '', /gave DEFER: REDIS: login to 127\.0\.0\.1:\d+ failed: /)
      assert.doesNotMatch(refused ?? '', /wrong|unasked/)
    }
    const [range] = await expand([at(plain, '/99/')], get)
    assert.match(range ?? '', /login to .* failed: ERR DB index is out of range/)
  })

  test('R2: TLS', { skip: noOpenssl }, async () => {
    selfSigned(folder.path, 'tls', '/CN=localhost', ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'])
    const [key, certificate] = [join(folder.path, 'tls.key'), join(folder.path, 'tls.crt')]
    const tlsPort = await freePort()
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no']
    await start({ arguments: ['--tls-port', String(tlsPort), ...files] })
    const url = `rediss://127.0.0.1:${tlsPort}`
    assert.deepEqual(await expand([`${url}/0?ca=${certificate}`], '${lookup redis{SET t 1}}'), ['OK'])
    const [untrusted] = await expand([url], '${lookup redis{GET t}}')
    assert.match(untrusted ?? '', /REDIS connection failed: .*self-signed certificate/)
  })

  test('R3: with and without a space before the brace', async () => {
    assert.deepEqual(
      await expand([at(plain)], '${lookup redis {SET r3 v}}', '${lookup redis{GET r3}{<$value>}{no}}'),
      ['OK', '<v>'],
    )
  })

  test('R4: servers in order until one answers; a dead one rests', async () => {
    const dead = `127.0.0.1:${await freePort()}//`
    assert.deepEqual(
      await expand([dead, at(plain)], '${lookup redis{SET r4 v}}', '${lookup redis{GET r4}}'),
      ['OK', 'v'],
    )
    const [first, , , fourth] = await expand(
      [dead],
      ...Array.from({ length: 4 }, () => '${lookup redis{GET a}}'),
    )
    assert.match(first ?? '', /DEFER: REDIS connection failed: 127\.0\.0\.1:\d+: .*ECONNREFUSED/)
    assert.match(fourth ?? '', /3 failures in a row, not asked again for a moment/)
  })

  test('R4: a server that hangs costs the time limit only, and answers again when it goes on', async () => {
    const frozen = await start()
    const bench = expansionBench({ settings: { redis_servers: [at(frozen)] } })
    const ask = async (): Promise<string> => {
      const result = await bench.expander.expandText(
        '${lookup redis,timeout=200ms,cache=no_rd{PING}}',
        bench.context,
      )
      return isFailure(result) ? result.message : textOf(result)
    }
    assert.equal(await ask(), 'PONG')
    frozen.process.kill('SIGSTOP')
    const before = Date.now()
    assert.match(await ask(), /no reply within 200 ms/)
    assert.ok(Date.now() - before < 1_500)
    frozen.process.kill('SIGCONT')
    assert.equal(await ask(), 'PONG')
    bench.close()
  })

  test('R4: a connection that the server closed is made anew', async () => {
    const first = await start()
    const bench = expansionBench({ settings: { redis_servers: [at(first)] } })
    const ask = async (): Promise<string> => {
      const result = await bench.expander.expandText('${lookup redis{PING}}', bench.context)
      return isFailure(result) ? result.message : textOf(result)
    }
    assert.equal(await ask(), 'PONG')
    await first.stop()
    await start({ port: first.port })
    assert.equal(await ask(), 'PONG')
    bench.close()
  })

  test('R4: after nonsense the next lookup has a new connection', async () => {
    let connections = 0
    const odd = createServer((socket) => {
      connections++
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => socket.write(bytes.includes('odd') ? 'hello\r\n' : '+fine\r\n'))
    })
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve))
    const address = odd.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    try {
      const results = await expand(
        [`127.0.0.1:${port}//`],
        '${lookup redis{GET odd}}',
        '${lookup redis{GET even}}',
      )
      assert.match(results[0] ?? '', /^defer: .*DEFER: REDIS: no reply of Redis: Unknown RESP type 104 "h"$/)
      assert.equal(results[1], 'fine')
      assert.equal(connections, 2)
    } finally {
      odd.close()
    }
  })

  test('R4: a command line with a server that is away ends at once', async () => {
    const file = join(folder.path, 'away.conf')
    writeFileSync(file, `redis_servers = 127.0.0.1::${await freePort()}//\n`)
    chmodSync(file, 0o644)
    const began = Date.now()
    const done = spawnSync(postern, ['-C', file, '-be', '${lookup redis{GET a}}'], { encoding: 'utf8' })
    assert.match(done.stdout, /^Failed: .*ECONNREFUSED/)
    assert.ok(Date.now() - began < 1900, `${Date.now() - began} ms`)
  })

  test('R5: replies as text', async () => {
    const rows: readonly (readonly [string, string])[] = [
      ['${lookup redis{SET s "q}}', 'OK'],
      ['${lookup redis{GET s}{y:$value}{n}}', 'y:"q'],
      ['${lookup redis{EXISTS s}}', 'true'],
      ['${lookup redis{EXISTS none}}', 'false'],
      ['${lookup redis,int=number{STRLEN s}}', '2'],
      ['${lookup redis{GET none}{y:$value}{n}}', 'y:'],
      ['${lookup redis,nil=fail{GET none}{y:$value}{n}}', 'n'],
      ['${lookup redis{HSET h a 1 b 2}}', 'true'],
      ['${lookup redis{HGETALL h}}', 'a\n1\nb\n2'],
      ['${lookup redis{MGET s none s}}', '"q\n\n"q'],
      ['${lookup redis{SMEMBERS none}{y}{n}}', 'n'],
      [
        '${lookup redis{EVAL return{1,{2,{3},"x"},"y"} 0}}'.replace(
          '{1,{2,{3},"x"},"y"}',
          '\\{1,\\{2,\\{3\\},"x"\\},"y"\\}',
        ),
        '1\n2\nx\ny',
      ],
    ]
    assert.deepEqual(
      await expand([at(plain)], ...rows.map(([text]) => text)),
      rows.map(([, gives]) => gives),
    )
    const [wrong, unknown] = await expand([at(plain)], '${lookup redis{INCR s}}', '${lookup redis{NOSUCH}}')
    assert.match(wrong ?? '', /gave DEFER: REDIS: lookup result failed: ERR value is not an integer/)
    assert.match(unknown ?? '', /REDIS: lookup result failed: ERR unknown command/)
  })

  test('R7, R9: what came from outside is one argument, quoted or not', async () => {
    const results = await expand(
      [at(plain)],
      '${lookup redis{HSET $domain domain yes}}',
      '${lookup redis{HGET $domain domain}}',
      '${lookup redis{HGET ${quote_redis:$domain} domain}}',
      "${lookup redis{HGET d\\\\ omain' domain}}",
      '${lookup redis{SET v ${quote_redis:$local_part\\\\ x}}}',
      '${lookup redis{GET v}}',
    )
    assert.deepEqual(results, ['true', 'yes', 'yes', 'yes', 'OK', 'a b\\ x'])
  })

  test('R9: values keep their bytes', async () => {
    const bench = expansionBench({ settings: { redis_servers: [at(plain)] } })
    const every = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')
    bench.context.variables.set('sender_data', taint(every, '$sender_data'))
    const { expander, context } = bench
    assert.equal(
      textOf(await outcome(expander.expandText('${lookup redis{SET bytes $sender_data}}', context))),
      'OK',
    )
    assert.equal(textOf(await outcome(expander.expandText('${lookup redis{GET bytes}}', context))), every)
    bench.close()
  })

  test('R7: parameters, even empty ones, are one argument each', async () => {
    const results = await expand(
      [at(plain)],
      '${lookup redis,params {SET $1 x$2}{p q}{}}',
      '${lookup redis,params=1 {GET $1}{p q}{y:$value}{n}}',
      '${lookup redis,params {GET $2}{a}}',
    )
    assert.deepEqual(results.slice(0, 2), ['OK', 'y:x'])
    assert.match(results[2] ?? '', /REDIS: the query has \$2, but there is no such parameter/)
  })

  test('R9: no hostile text becomes an argument or a command of its own', async () => {
    const bench = expansionBench({ settings: { redis_servers: [at(plain, '/5/')] } })
    const { expander, context } = bench
    for (const [i, text] of hostileTexts.entries()) {
      const bytes = Buffer.from(text, 'utf8').toString('latin1')
      context.variables.set('sender_data', taint(bytes, '$sender_data'))
      const written = i % 2 === 0 ? '$sender_data' : '${quote_redis:$sender_data}'
      assert.equal(
        textOf(await outcome(expander.expandText(`\${lookup redis{SET k ${written}}}`, context))),
        'OK',
        text,
      )
      assert.equal(
        textOf(await outcome(expander.expandText('${lookup redis,cache=no_rd{GET k}}', context))),
        bytes,
      )
      await outcome(expander.expandText(`\${lookup redis{SET k:${written} 1}}`, context))
    }
    const size = await outcome(expander.expandText('${lookup redis,int=number{DBSIZE}}', context))
    assert.equal(textOf(size), String(new Set(hostileTexts).size + 1))
    bench.close()
  })

  test('R10: a cluster sends the command on: MOVED and ASK', async () => {
    const nodes = await Promise.all([0, 1, 2].map(() => start({ arguments: ['--cluster-enabled', 'yes'] })))
    const command = async (node: Database, text: string): Promise<string> =>
      (await expand([at(node)], `\${lookup redis{${text}}}`))[0] ?? ''
    const ranges = ['0 5460', '5461 10922', '10923 16383']
    for (const [i, node] of nodes.entries()) {
      assert.equal(await command(node, `CLUSTER ADDSLOTSRANGE ${ranges[i] ?? ''}`), 'OK')
      assert.equal(await command(node, `CLUSTER SET-CONFIG-EPOCH ${i + 1}`), 'OK')
    }
    const [first, second, third] = nodes
    assert.ok(first && second && third)
    for (const node of [second, third])
      assert.equal(await command(first, `CLUSTER MEET 127.0.0.1 ${node.port}`), 'OK')
    const end = Date.now() + 15_000
    const ok = async (node: Database): Promise<boolean> =>
      (await command(node, 'CLUSTER INFO')).includes('cluster_state:ok')
    while (!((await ok(first)) && (await ok(second)) && (await ok(third)))) {
      assert.ok(Date.now() < end, 'the cluster did not come up')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    for (const key of ['a', 'b', 'c', 'foo', 'bar'])
      assert.equal(await command(first, `SET ${key} of-${key}`), 'OK')
    for (const node of nodes)
      for (const key of ['a', 'foo', 'bar']) assert.equal(await command(node, `GET ${key}`), `of-${key}`)
    // "foo" is in slot 12182, of the third; on its way to the first, keys that are gone are asked for there.
    const ids = await Promise.all([first, third].map((node) => command(node, 'CLUSTER MYID')))
    assert.equal(await command(first, `CLUSTER SETSLOT 12182 IMPORTING ${ids[1] ?? ''}`), 'OK')
    assert.equal(await command(third, `CLUSTER SETSLOT 12182 MIGRATING ${ids[0] ?? ''}`), 'OK')
    assert.equal(await command(third, `MIGRATE 127.0.0.1 ${first.port} foo 0 1000`), 'OK')
    assert.equal(await command(second, 'GET foo'), 'of-foo')
  })

  test('R4: an answer is kept for the message, nil and errors are not', async () => {
    const [nil, then, set, kept, anew] = await expand(
      [at(plain, '/6/')],
      '${lookup redis{GET later}}',
      '${lookup redis{SET later 1}}${lookup redis{GET later}}',
      '${lookup redis{SET later 2}}',
      '${lookup redis{GET later}}',
      '${lookup redis,cache=no_rd{GET later}}',
    )
    assert.deepEqual([nil, then, set, kept, anew], ['', 'OK1', 'OK', '1', '2'])
    const [wrong, again] = await expand(
      [at(plain, '/6/')],
      '${lookup redis{HGET later x}}',
      '${lookup redis{DEL later}}${lookup redis{HGET later x}}',
    )
    assert.match(wrong ?? '', /gave DEFER: REDIS: lookup result failed: WRONGTYPE/)
    assert.equal(again, 'true')
  })

  test('R10: a sentinel tells where the master is', async () => {
    const master = await start()
    const port = await freePort()
    const file = join(folder.path, 'sentinel.conf')
    writeFileSync(
      file,
      `port ${port}\nbind 127.0.0.1\nsentinel monitor mail 127.0.0.1 ${master.port} 1\nsentinel down-after-milliseconds mail 1000\n`,
    )
    chmodSync(file, 0o666)
    chmodSync(folder.path, 0o777)
    if ('missing' in program) return
    running.push(await startSentinel(program, file, port))
    const url = `redis+sentinel://127.0.0.1:${port}/mail/0`
    assert.deepEqual(await expand([url], '${lookup redis{SET m 1}}'), ['OK'])
    const [unknown] = await expand([url.replace('mail', 'other')], '${lookup redis{GET m}}')
    assert.match(unknown ?? '', /does not know "other"/)
  })

  describe('the examples of 2014 in a running server', () => {
    let server: StartedServer
    const own = temporaryFolder('redis-examples')
    before(async () => {
      await expand(
        [at(plain, '/10/')],
        '${lookup redis{SADD relay_from_ips 192.168.0.0/24 127.0.0.0/8}}',
        '${lookup redis{HSET virtual.example domain virtual.example}}',
        '${lookup redis{SET greeting hello}}',
      )
      server = await startServer({
        folder: own.path,
        configuration: [
          `redis_servers = 127.0.0.1::${plain.port}/10/`,
          'SPAMMER_SET = SET SPAMMER a_value',
          'hostlist relay_from_ips = <\\n ${lookup redis{SMEMBERS relay_from_ips}}',
          'domainlist virtual_domains = ${lookup redis {HGET $domain domain}}',
          'acl_smtp_rcpt = rcpt',
          'begin acl',
          'rcpt:',
          '  warn set acl_c_spammer = ${if eq{${lookup redis{SPAMMER_SET}}}{OK}}',
          '  warn set acl_c_spam_host = ${lookup redis{GET greeting}}',
          '  accept domains = +virtual_domains',
          '    message = virtual spammer=$acl_c_spammer host=$acl_c_spam_host',
          '  accept hosts = +relay_from_ips',
          '    message = relay',
          '  deny message = neither',
          '',
        ].join('\n'),
      })
    })
    after(async () => {
      await server.stop()
      own.remove()
    })

    test('R6, R7, R8: hosts from a set, domains from a hash, a flag set, a value read', async () => {
      const client = await connectSmtp(server.port)
      await client.say('EHLO me.example')
      await client.say('MAIL FROM:<a@b.example>')
      const virtual = await client.say('RCPT TO:<x@virtual.example>')
      assert.deepEqual([virtual.code, virtual.lines[0]], [250, 'virtual spammer=true host=hello'])
      const relayed = await client.say('RCPT TO:<x@other.example>')
      assert.deepEqual([relayed.code, relayed.lines[0]], [250, 'relay'])
      await expand([at(plain, '/10/')], '${lookup redis{DEL relay_from_ips}}')
      const refused = await client.say('RCPT TO:<x@third.example>')
      assert.deepEqual([refused.code, refused.lines[0]], [550, 'neither'])
      client.end()
    })

    test('R1, R11: -bP shows the option; -bV lists redis; .ifdef sees it', () => {
      const version = server.command('-bV').stdout
      assert.match(version, /Support for: .*Experimental_Redis/)
      assert.match(version, /Lookups.*: .*\bredis\b/)
      const file = join(own.path, 'hidden.conf')
      writeFileSync(
        file,
        'hide redis_servers = h//secret\n.ifdef _HAVE_LOOKUP_REDIS\nprimary_hostname = has.redis\n.endif\n',
      )
      const shown = server.command('-C', file, '-bP', 'redis_servers').stdout
      assert.match(shown, /redis_servers/)
      assert.match(server.command('-C', file, '-bP', 'primary_hostname').stdout, /has\.redis/)
    })
  })
})

async function outcome(value: unknown): Promise<Parameters<typeof textOf>[0]> {
  const settled = await value
  assert.ok(!isFailure(settled), isFailure(settled) ? settled.message : '')
  return settled as Parameters<typeof textOf>[0]
}
