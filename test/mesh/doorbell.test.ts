import { afterEach, describe, expect, it } from 'vitest';
import * as libc from '../../src/base/libc.js';
import {
  closeDoorbells,
  createDoorbells,
  Doorbell,
  type DoorbellsShape,
} from '../../src/mesh/doorbell.js';

describe('a doorbell', () => {
  const shapes: DoorbellsShape[] = [];
  const bells = (...kinds: Parameters<typeof createDoorbells>[0]) => {
    const shape = createDoorbells(kinds);
    shapes.push(shape);
    return shape;
  };
  afterEach(() => {
    for (const shape of shapes.splice(0)) closeDoorbells(shape);
  });

  it('wakes a blocking sleeper that was rung after it announced', () => {
    const shape = bells('blocking', 'blocking');
    const bell = new Doorbell(shape, 1);
    bell.announce();
    new Doorbell(shape, 1).ring();
    const startMs = performance.now();
    bell.wait(60_000);
    expect(performance.now() - startMs).toBeLessThan(30_000);
    bell.silence();
  });

  it('does not keep a ring for a thread that was awake', () => {
    const shape = bells('blocking');
    const bell = new Doorbell(shape, 0);
    bell.ring();
    bell.announce();
    const startMs = performance.now();
    bell.wait(20);
    expect(performance.now() - startMs).toBeGreaterThan(15);
    bell.silence();
  });

  it('wakes a thread on the event loop', async () => {
    const shape = bells('loop');
    const bell = new Doorbell(shape, 0);
    bell.announce();
    const startMs = performance.now();
    setTimeout(() => new Doorbell(shape, 0).ring(), 10);
    await bell.waitAsync(60_000);
    expect(performance.now() - startMs).toBeLessThan(30_000);
    bell.silence();
    bell.announce();
    bell.ring();
    await bell.waitAsync(60_000);
    expect(performance.now() - startMs).toBeLessThan(30_000);
  });

  it.skipIf(!libc.isLibcAvailable())('makes one system call per sleep of an epoll thread', () => {
    const shape = bells('blocking', 'epoll');
    const bell = new Doorbell(shape, 1);
    const ringer = new Doorbell(shape, 1);
    const epfd = libc.epollCreate();
    const events = new libc.EpollEvents(2);
    libc.epollAdd(epfd, bell.eventfd, libc.Epoll.In, bell.eventfd, 0);
    try {
      ringer.ring();
      expect(libc.epollWait(epfd, events, 0)).toBe(0);
      bell.announce();
      for (let rings = 0; rings < 5; rings++) ringer.ring();
      expect(libc.epollWait(epfd, events, 1000)).toBe(1);
      expect(events.lowOf(0)).toBe(bell.eventfd);
      bell.silence();
      bell.takeSignal();
      ringer.ring();
      expect(libc.epollWait(epfd, events, 0)).toBe(0);
    } finally {
      libc.close(epfd);
    }
  });
});
