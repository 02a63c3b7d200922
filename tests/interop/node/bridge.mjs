// Real pg-boss instances, driven over stdin and stdout by one JSON object a line.
//
//   in    {"id": 1, "op": "call", "boss": "main", "method": "send", "args": ["queue", {"a": 1}]}
//   out   {"id": 1, "result": …}   or   {"id": 1, "error": {"name": …, "message": …, "code": …}}
//         {"event": "handled", "boss": "main", …}   whenever something happened by itself
//
// A Date travels as {"$date": "2026-01-31T12:00:00.000Z"} and undefined as {"$undefined": true}, both ways.
// The process ends when its stdin does, so it cannot outlive the test that started it.

import { createInterface } from 'node:readline'
import { Differential } from './differential.mjs'
import * as previews from './previews.mjs'
import { Script } from './script.mjs'

// Tests of schemas of other versions name the release that they want; see support/releases.py.
const pgBoss = await import(process.env.PGBOSS_RELEASE ?? 'pg-boss')
// Before version 12 the package was its class.
const PgBoss = pgBoss.PgBoss ?? pgBoss.default

const bosses = new Map()
const scripts = new Map()
const clocks = new Map()
let differential

const operations = {
  create ({ boss: name, options }) {
    if (bosses.has(name)) throw new Error(`There is a boss named ${name} already`)
    const boss = new PgBoss(options)
    boss.on('error', error => report({ event: 'error', boss: name, what: describe(error) }))
    boss.on('warning', warning => report({ event: 'warning', boss: name, what: warning }))
    boss.on('bam', bam => report({ event: 'bam', boss: name, what: bam }))
    boss.on('stopped', () => report({ event: 'stopped', boss: name }))
    bosses.set(name, boss)
  },

  // With spans of the real SDK, or on a test clock, which are objects and cannot travel.
  async createWith ({ boss, options, traced, start }) {
    const given = { ...options }
    if (traced) given.openTelemetry = (await import('./telemetry.mjs')).openTelemetry
    if (start) {
      clocks.set(boss, new pgBoss.TestClock(start))
      given.clock = clocks.get(boss)
    }
    operations.create({ boss, options: given })
  },

  async callWithin ({ boss, span, method, args }) {
    const { within } = await import('./telemetry.mjs')
    return within(span, () => operations.call({ boss, method, args }))
  },

  async spans () {
    return (await import('./telemetry.mjs')).spans()
  },

  async tick ({ boss, milliseconds }) {
    await clocks.get(boss).tick(milliseconds)
  },

  async call ({ boss: name, method, args }) {
    const boss = bossNamed(name)
    if (typeof boss[method] !== 'function') throw new TypeError(`pg-boss has no method ${method}`)
    const result = await boss[method](...args)
    return result === boss ? null : result
  },

  // What the package exports beside the class, such as getConstructionPlans.
  module ({ method, args }) {
    return (pgBoss[method] ?? PgBoss[method])(...args)
  },

  // Occurrences of many schedules; no instance is needed.
  previews ({ questions }) {
    return previews.answer(questions)
  },

  work ({ boss: name, queue, options, steps }) {
    const script = new Script(steps, event => report({ ...event, boss: name, queue }))
    scripts.set(`${name} ${queue}`, script)
    return bossNamed(name).work(queue, options, jobs => script.handle(jobs))
  },

  release ({ boss: name, queue }) {
    scripts.get(`${name} ${queue}`).release()
  },

  // A script of many calls in one message; there is one such instance a process.
  async openDifferential (settings) {
    differential = new Differential(settings)
    await differential.start()
  },

  runDifferential ({ steps }) {
    return differential.run(steps)
  },

  forgetDifferential ({ leftovers }) {
    return differential.forget(leftovers)
  },

  closeDifferential () {
    return differential.stop()
  },

  async sql ({ boss: name, text, values }) {
    return (await bossNamed(name).getDb().executeSql(text, values)).rows
  }
}

function bossNamed (name) {
  const boss = bosses.get(name)
  if (!boss) throw new Error(`There is no boss named ${name}`)
  return boss
}

async function answer (line) {
  const request = JSON.parse(line, decode)
  try {
    report({ id: request.id, result: await operations[request.op](restore(request)) ?? null })
  } catch (error) {
    report({ id: request.id, error: describe(error) })
  }
}

function report (message) {
  process.stdout.write(JSON.stringify(message, encode) + '\n')
}

// Not all that is thrown or emitted is an Error: pg-boss's error events may be plain objects.
function describe (error) {
  const fields = error !== null && typeof error === 'object' ? error : { message: String(error) }
  const { name = 'Error', message = String(error), code, detail, stack } = fields
  return { name, message, code, detail, stack }
}

// JSON.stringify has called toJSON before it asks here, so the Date is read from its holder.
function encode (key, value) {
  if (this[key] instanceof Date) return { $date: this[key].toISOString() }
  if (value instanceof AbortSignal) return undefined
  return value === undefined && Array.isArray(this) ? { $undefined: true } : value
}

// A reviver that returns undefined drops the key, so undefined is put back afterwards.
const UNDEFINED = Symbol('undefined')

function decode (key, value) {
  if (value === null || typeof value !== 'object') return value
  if ('$date' in value) return new Date(value.$date)
  return '$undefined' in value ? UNDEFINED : value
}

function restore (value) {
  if (value === UNDEFINED) return undefined
  if (Array.isArray(value)) return value.map(restore)
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, restore(inner)]))
}

// stdout carries the protocol only.
console.log = console.error

const lines = createInterface({ input: process.stdin })
lines.on('line', answer)
lines.on('close', () => process.exit(0))
report({ event: 'ready', node: process.version })
