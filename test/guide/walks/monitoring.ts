import assert from 'node:assert/strict'
import { get } from 'node:http'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fetchDebian } from '../../support/debian.ts'
import { repository, until } from '../../support/server.ts'
import { boxes, restart, shell, type Walk, waitMs, write } from '../world.ts'

const prometheus = () => fetchDebian(['prometheus'])

const ask = (host: string, from: string): Promise<{ code: number; text: string } | undefined> =>
  new Promise((resolve) => {
    get({ host, port: 9125, path: '/metrics', localAddress: from }, (response) => {
      let text = ''
      response.on('data', (bytes) => (text += String(bytes)))
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }))
    }).on('error', () => resolve(undefined))
  })

export const monitoring: Walk = {
  needs: [prometheus],
  async walk(page) {
    await restart(boxes, { main: page.take('metrics_listen') })
    const answer = await until(() => ask('127.0.0.1', '127.0.0.1'), waitMs)
    assert.match(answer?.text ?? '', /^postern_connections_total/m)
    const fetched = prometheus()
    assert.ok('root' in fetched)
    write('/etc/prometheus/prometheus.yml', page.take('scrape_configs'))
    copyFileSync(join(repository, 'docs/monitoring/alert-rules.yml'), '/etc/prometheus/alert-rules.yml')
    const checked = await shell(
      `${join(fetched.root, 'usr/bin/promtool')} check config /etc/prometheus/prometheus.yml`,
    )
    assert.equal(checked.status, 0, checked.all)

    await restart(boxes, { main: page.take('metrics_hosts') })
    assert.equal((await until(() => ask('192.0.2.10', '192.0.2.9'), waitMs))?.code, 200)
    assert.equal((await ask('192.0.2.10', '203.0.113.9'))?.code, 403)
  },
}
