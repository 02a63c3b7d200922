// The twin of ../../child.py for systems of Node: same commands, same events, same clock.
//
//     node child.mjs '{"adapter": "pgboss", "place": {"dsn": …, "redis": …}, "settings": {…}}'
//
// An adapter is a module whose `make(place, settings)` returns {install, open, close, enqueue, send, work}.
import fs from 'node:fs'
import readline from 'node:readline'

const IN_FLIGHT = 16
const WARM_UPS = 50

const now = () => process.hrtime.bigint()
const say = event => fs.writeSync(1, JSON.stringify(event) + '\n')
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
const packed = times => Buffer.from(times.buffer).toString('base64')
const milliseconds = (from, to) => Number(to - from) / 1e6

class Record {
  constructor (numbers, expected) {
    this.started = new BigInt64Array(numbers)
    this.expected = expected
    this.calls = 0
    this.distinct = 0
  }

  handled (number) {
    const at = now()
    if (number < 0) return say({ event: 'warm' })
    if (!this.calls) say({ event: 'first', at: Number(at) })
    this.calls++
    if (this.started[number]) return
    this.started[number] = at
    if (++this.distinct === this.expected) say({ event: 'done', at: Number(now()) })
  }
}

const order = JSON.parse(process.argv[2])
const { make } = await import(`./${order.adapter}.mjs`)
const adapter = make(order.place, order.settings)
let isOpen = false
let stop

const commands = {
  async install () {
    await adapter.install()
    say({ event: 'install' })
  },
  async open ({ connections }) {
    await adapter.open(connections)
    isOpen = true
    say({ event: 'open' })
  },
  async enqueue ({ first, count }) {
    const began = now()
    await adapter.enqueue(first, count)
    say({ event: 'enqueue', seconds: milliseconds(began, now()) / 1000 })
  },
  async send ({ count }) {
    for (let i = 0; i < WARM_UPS; i++) await adapter.send(-1)
    const each = []
    for (let number = 0; number < count; number++) {
      const began = now()
      await adapter.send(number)
      each.push(milliseconds(began, now()))
    }
    say({ event: 'send', milliseconds: each })
  },
  async warm () {
    await adapter.send(-1)
    say({ event: 'warm' })
  },
  async pace ({ rate, count }) {
    const called = new BigInt64Array(count)
    const returned = new BigInt64Array(count)
    const waiting = []
    let running = 0
    const one = async number => {
      if (running >= IN_FLIGHT) await new Promise(resolve => waiting.push(resolve))
      running++
      called[number] = now()
      await adapter.send(number)
      returned[number] = now()
      running--
      waiting.shift()?.()
    }
    const begin = now() + 20_000_000n
    const all = []
    for (let number = 0; number < count; number++) {
      const ahead = milliseconds(now(), begin) + number * 1000 / rate
      if (ahead > 0) await sleep(ahead)
      all.push(one(number))
    }
    await Promise.all(all)
    say({ event: 'pace', called: packed(called), returned: packed(returned) })
  },
  async work ({ numbers, expected }) {
    const record = new Record(numbers, expected)
    const stopped = new Promise(resolve => { stop = resolve })
    stopped.then(() => say({ event: 'stopped', calls: record.calls, started: packed(record.started) }))
    await adapter.work(number => record.handled(number), () => say({ event: 'ready' }), stopped)
  }
}

let last = Promise.resolve()
const input = readline.createInterface({ input: process.stdin })
input.on('line', line => {
  const { do: name, ...options } = JSON.parse(line)
  if (name === 'stop') stop()
  else last = last.then(() => commands[name](options))
})
input.on('close', async () => {
  stop?.()
  await last
  if (isOpen) await adapter.close()
  process.exit(0)
})
