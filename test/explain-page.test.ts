/** The page of `postern explain --html` in a real browser: it unfolds, fits a phone, and hostile text stays text. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { type Browser, fetchChromium, startChromium } from './support/chromium.ts'
import { postern, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('page')
const page = join(folder.path, 'explain.html')
const large = join(folder.path, 'large.html')
const hostile = '</code><script>document.title="broken"</script><img src=x onerror="document.title=1">'
let browser: Browser | undefined
let missing: string | undefined

const configuration = `primary_hostname = mx.test
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
begin acl
acl_rcpt:
  deny senders = *@bad.test
  accept
acl_data:
  warn set acl_m_shown = $h_subject:
  deny condition = \${if match{$h_subject:}{script}}
       message = no "scripts" & <tags>
  accept
begin routers
local:
  driver = accept
  transport = local
begin transports
local:
  driver = appendfile
  file = /dev/null
`

before(async () => {
  const config = join(folder.path, 'exim.conf')
  const message = join(folder.path, 'message')
  for (const each of ['spool', 'log']) mkdirSync(join(folder.path, each), { mode: 0o777 })
  spawnSync('chmod', ['777', folder.path])
  const paths = `spool_directory = ${folder.path}/spool\nlog_file_path = ${folder.path}/log/%slog\n`
  writeFileSync(config, paths + configuration)
  writeFileSync(message, `From: a@b.test\nSubject: ${hostile}\u202e\n\nhello\n`)
  const call = (file: string, ...recipients: readonly string[]): void => {
    const rcpt = recipients.flatMap((each) => ['--rcpt', each])
    const done = spawnSync(
      postern,
      [
        'explain',
        '-C',
        config,
        '--from',
        '192.0.2.1',
        '--mail',
        'a@b.test',
        ...rcpt,
        '--message',
        message,
        '--html',
        file,
      ],
      { encoding: 'utf8' },
    )
    assert.equal(done.status, 0, done.stderr)
  }
  call(page, 'joe@here.test')
  call(large, ...Array.from({ length: 600 }, (_, i) => `${'x'.repeat(50)}${i}@${'y'.repeat(60)}.test`))
  const fetched = fetchChromium()
  if ('missing' in fetched) missing = fetched.missing
  else browser = await startChromium(fetched.root, folder.path)
})
after(async () => {
  await browser?.close()
  folder.remove()
})

function withBrowser(name: string, run: (browser: Browser, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    if (browser === undefined) return t.skip(missing ?? 'no browser')
    await run(browser, t)
  })
}

test('the page is one file below 300 kB, for its owner alone, that asks the network for nothing', () => {
  for (const file of [page, large]) {
    const { size, mode } = statSync(file)
    assert.ok(size < 300_000, `${file}: ${size}`)
    assert.equal(mode & 0o777, 0o600)
    const text = readFileSync(file, 'utf8')
    assert.doesNotMatch(text, /<[^>]*(?:src|href)=["']?(?!data:)[a-z/]/i)
    assert.match(text, /<\/html>\n$/)
  }
  assert.ok(readFileSync(large, 'utf8').includes('more steps are not shown'))
})

test('the deciding statement stands before all steps, with file and line', () => {
  const text = readFileSync(page, 'utf8')
  const decided = text.indexOf('deny condition =')
  assert.ok(decided > 0 && decided < text.indexOf('Every step'))
  assert.match(text, /exim\.conf:12</)
})

withBrowser('a statement unfolds at a click and folds at the next', async (running) => {
  const shown = await running.open(`file://${page}`)
  assert.deepEqual(shown.errors, [])
  assert.deepEqual(shown.requested, [`file://${page}`])
  const last = '.steps > details.step.bad:last-of-type'
  const visible = (): Promise<unknown> =>
    shown.evaluate(`document.querySelector('${last} details.step.bad details.step.bad').checkVisibility()`)
  assert.equal(await visible(), false)
  await shown.click(`${last} > summary`)
  await shown.click(`${last} > details.step.bad > summary`)
  assert.equal(await visible(), true)
  await shown.click(`${last} details.step.bad details.step.bad > summary`)
  assert.match(
    String(await shown.evaluate(`document.querySelector('${last} details.step.bad').innerText`)),
    /statement deny[\s\S]*exim\.conf:12[\s\S]*condition/,
  )
  await shown.click(`${last} > summary`)
  assert.equal(await visible(), false)
  await shown.click('button[data-open="1"]')
  assert.equal(await shown.evaluate('document.querySelectorAll("details:not([open])").length'), 0)
})

withBrowser('what a message holds stays text', async (running) => {
  const shown = await running.open(`file://${page}`)
  assert.match(String(await shown.evaluate('document.title')), /^A message from 192\.0\.2\.1/)
  assert.equal(await shown.evaluate('document.images.length'), 0)
  assert.equal(await shown.evaluate('document.scripts.length'), 1)
  assert.equal(await shown.evaluate(`document.body.textContent.includes(${JSON.stringify(hostile)})`), true)
  assert.equal(await shown.evaluate('document.body.textContent.includes("\\u202e")'), false)
})

withBrowser('nothing is wider than a phone or a desktop, light or dark', async (running) => {
  for (const file of [page, large]) {
    const shown = await running.open(`file://${file}`)
    for (const width of [320, 375, 768, 1280]) {
      await shown.size(width, 800)
      await shown.evaluate('for (const each of document.querySelectorAll("details")) each.open = true')
      const wide = Number(await shown.evaluate('document.documentElement.scrollWidth'))
      assert.ok(wide <= width, `${file} at ${width}: ${wide}`)
    }
    const background = 'getComputedStyle(document.body).backgroundColor'
    await shown.colours('light')
    const light = await shown.evaluate(background)
    await shown.colours('dark')
    assert.notEqual(await shown.evaluate(background), light)
    assert.ok((await shown.screenshot()).length > 1000)
  }
})
