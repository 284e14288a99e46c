interface Node<Item> {
  /** Undefined once it is removed. */
  item: Item | undefined;
  previous: Node<Item> | undefined;
  next: Node<Item> | undefined;
}

/**
 * A set of items that come and go all the time, such as the requests that are being handled, in the order in which they
 * were added.
 *
 * Unlike a `Set` or `Map`, it never keeps removed items in memory. V8 replaces the table of a `Set` after some additions,
 * and the old table has a reference to the new one and still has its items. If one of these tables is old enough to be
 * moved out of the young generation, all later ones follow it, with all items that they had, until the next major
 * garbage collection. With requests as items, that took a fifth of the CPU of each request. So this is a linked list, and
 * a removed node refers to nothing.
 */
export class TransientSet<Item> implements Iterable<Item> {
  private head: Node<Item> | undefined;
  private tail: Node<Item> | undefined;
  private count = 0;

  /** Number of items. */
  get size(): number {
    return this.count;
  }

  /** The item that was added first; undefined if there is none. */
  get first(): Item | undefined {
    return this.head?.item;
  }

  /**
   * Adds an item. An item that is added twice is in the set twice.
   * @returns function that removes it; further calls do nothing
   */
  add(item: NonNullable<Item>): () => void {
    const node: Node<Item> = { item, previous: this.tail, next: undefined };
    if (this.tail === undefined) this.head = node;
    else this.tail.next = node;
    this.tail = node;
    this.count += 1;
    return () => {
      this.remove(node);
    };
  }

  /** Iterates over the items of this moment, without those that are removed meanwhile. */
  *[Symbol.iterator](): Generator<Item, void> {
    const nodes: Node<Item>[] = [];
    for (let node = this.head; node !== undefined; node = node.next) nodes.push(node);
    for (const { item } of nodes) if (item !== undefined) yield item;
  }

  private remove(node: Node<Item>): void {
    if (node.item === undefined) return;
    if (node.previous === undefined) this.head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.tail = node.previous;
    else node.next.previous = node.previous;
    node.item = node.previous = node.next = undefined;
    this.count -= 1;
  }
}
