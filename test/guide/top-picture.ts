/**
 * Makes docs/guide/images/top.png: `postern top` in a real terminal beside a busy server, drawn by a real Chromium.
 * As root: node dist/test/guide/top-picture.js
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fetchChromium, startChromium } from '../support/chromium.ts'
import { repository } from '../support/server.ts'
import {
  configure,
  dns,
  endAll,
  enter,
  furnish,
  hostAt,
  mail,
  namespaces,
  session,
  shell,
  start,
} from './world.ts'

const columns = 104
const rows = 30

const configuration = {
  main: `primary_hostname = mx.example.org
domainlist local_domains = example.org
hostlist relay_from_hosts = 192.0.2.10
acl_smtp_rcpt = acl_check_rcpt
metrics_listen = 127.0.0.1:9125
log_format_json = /var/log/postern/json
host_lookup =
local_interfaces = 127.0.0.1
tls_advertise_hosts =
`,
  acl: `
acl_check_rcpt:
  deny    senders = *@spammer.example
          message = we do not want your mail
  accept  hosts = +relay_from_hosts
  require message = relay not permitted
          domains = +local_domains
  require message = no such user
          local_parts = ann : bob : postmaster
  accept
`,
  routers: `local:
  driver = accept
  domains = +local_domains
  transport = box
out:
  driver = dnslookup
  transport = remote_smtp
`,
  transports:
    'box:\n  driver = appendfile\n  file = /home/bill/box\n  user = bill\nremote_smtp:\n  driver = smtp\n  connect_timeout = 2s\n',
  retry: '* * F,4d,1m\n',
}

/** Inside a machine of its own: what the terminal showed last. */
async function busyServer(file: string): Promise<void> {
  furnish('mx.example.org')
  const at = (name: string, address: string) => ({
    [`${name} MX`]: [{ type: 'MX', data: { preference: 10, exchange: `mx.${name}` } }],
    [`mx.${name} A`]: [{ type: 'A', data: address }],
  })
  await dns({
    ...at('slow.example', '192.0.2.7'),
    ...at('full.example', '192.0.2.8'),
    ...at('partner.example', '192.0.2.9'),
  })
  await hostAt('192.0.2.9')
  await hostAt('192.0.2.8', { rcpt: () => '452 mailbox full' })
  await configure(configuration)
  await start()
  const top = shell(
    `script -qec 'stty cols ${columns} rows ${rows}; timeout -s INT 40 postern top' ${file} < /dev/null`,
  )
  const end = Date.now() + 36_000
  const relay = '192.0.2.10'
  for (let i = 0; Date.now() < end; i++) {
    await mail({ from: `news@shop.example`, to: 'ann@example.org', client: '203.0.113.5' })
    if (i % 2 === 0) await mail({ from: 'ann@example.org', to: `c${i}@partner.example`, client: relay })
    if (i % 3 === 0)
      await session(
        ['EHLO x', 'MAIL FROM:<win@spammer.example>', 'RCPT TO:<ann@example.org>', 'QUIT'],
        '203.0.113.7',
      )
    if (i % 5 === 0)
      await session(
        ['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<info@example.org>', 'QUIT'],
        '203.0.113.9',
      )
    if (i % 11 === 0)
      await session(['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>', 'QUIT'], '203.0.113.9')
    if (i % 9 === 0) await mail({ from: 'bob@example.org', to: `d${i}@slow.example`, client: relay })
    if (i % 13 === 0) await mail({ from: 'bob@example.org', to: `e${i}@full.example`, client: relay })
    await new Promise((resolve) => setTimeout(resolve, 120))
  }
  await top
  await endAll()
}

async function draw(lines: readonly string[]): Promise<Buffer> {
  const chromium = fetchChromium()
  if ('missing' in chromium) throw new Error(chromium.missing)
  const folder = mkdtempSync(join(tmpdir(), 'postern-picture-'))
  const html = join(folder, 'top.html')
  const text = lines.join('\n').replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  writeFileSync(
    html,
    `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:#1d2021;color:#d8d4c8;font:14px/1.35 monospace}pre{margin:14px 18px;width:${columns}ch}</style><pre>${text}</pre>`,
  )
  const browser = await startChromium(chromium.root, folder)
  try {
    const page = await browser.open(`file://${html}`)
    const size = await page.evaluate(
      "(() => { const r = document.querySelector('pre').getBoundingClientRect(); return [r.width, r.height] })()",
    )
    const [width = 900, height = 500] = Array.isArray(size) ? size.map(Number) : []
    await page.size(Math.ceil(width) + 36, Math.ceil(height) + 28)
    return await page.screenshot()
  } finally {
    await browser.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

const own = fileURLToPath(import.meta.url)
if (process.argv[2] === 'inside') await busyServer(process.argv[3] ?? '')
else {
  const folder = mkdtempSync(join(tmpdir(), 'postern-top-'))
  const file = join(folder, 'typescript')
  spawnSync('unshare', [...namespaces, 'sh', '-c', enter, 'sh', process.execPath, own, 'inside', file], {
    stdio: 'inherit',
  })
  // The last whole picture: each begins by going home and clearing.
  const pictures = readFileSync(file, 'utf8').split('\x1b[H\x1b[J').slice(1)
  // Some before the end, while there is traffic.
  const last = (pictures.at(-6) ?? '').replace(/\x1b\[\?[\s\S]*/, '')
  const lines = last.split(/\r*\n/).map((line) => line.trimEnd())
  while (lines.at(-1) === '') lines.pop()
  console.log(lines.join('\n'))
  const picture = await draw(lines)
  writeFileSync(join(repository, 'docs', 'guide', 'images', 'top.png'), picture)
  console.log(`${picture.length} bytes`)
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
