/* A doubly linked list whose links live in its elements. The list is a ring: its head is a link that belongs to no
 * element, or to one whose content does not count, as in struct BinaryArrayList.
 *
 *   struct BinaryArrayList *el;
 *   dl_list_for_each(el, &certs->list, struct BinaryArrayList, list) use(el->arr, el->length);
 *
 * Threads: a list is used by one thread at a time. */

#ifndef VOUCHER_DL_LIST_H
#define VOUCHER_DL_LIST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dl_list {
  struct dl_list* next;
  struct dl_list* prev;
};

/* The list itself, empty. */
#define DL_LIST_HEAD_INIT(l) {&(l), &(l)}

static inline void dl_list_init(struct dl_list* list) {
  list->next = list;
  list->prev = list;
}

/* Puts `item` right behind `link`: with the head of a list as `link`, at the front of it. */
static inline void dl_list_add(struct dl_list* link, struct dl_list* item) {
  item->prev = link;
  item->next = link->next;
  link->next->prev = item;
  link->next = item;
}

static inline void dl_list_add_tail(struct dl_list* list, struct dl_list* item) { dl_list_add(list->prev, item); }

static inline void dl_list_del(struct dl_list* item) {
  item->prev->next = item->next;
  item->next->prev = item->prev;
  item->next = NULL;
  item->prev = NULL;
}

static inline int dl_list_empty(const struct dl_list* list) { return list->next == list; }

static inline unsigned int dl_list_len(const struct dl_list* list) {
  unsigned int length = 0;
  const struct dl_list* link;
  for (link = list->next; link != list; link = link->next) ++length;
  return length;
}

/* The element of `type` whose member `member` is the link `item`. */
#define dl_list_entry(item, type, member) ((type*)(void*)((char*)(item) - offsetof(type, member)))

/* The first and the last element, NULL in an empty list. */
#define dl_list_first(list, type, member) (dl_list_empty(list) ? NULL : dl_list_entry((list)->next, type, member))
#define dl_list_last(list, type, member) (dl_list_empty(list) ? NULL : dl_list_entry((list)->prev, type, member))

#define dl_list_for_each(item, list, type, member)                                  \
  for (item = dl_list_entry((list)->next, type, member); &(item)->member != (list); \
       item = dl_list_entry((item)->member.next, type, member))

/* The same, when the loop's body may take `item` out of the list; `after` is one more variable of the type. */
#define dl_list_for_each_safe(item, after, list, type, member)                                                     \
  for (item = dl_list_entry((list)->next, type, member), after = dl_list_entry((item)->member.next, type, member); \
       &(item)->member != (list); item = after, after = dl_list_entry((item)->member.next, type, member))

#define dl_list_for_each_reverse(item, list, type, member)                          \
  for (item = dl_list_entry((list)->prev, type, member); &(item)->member != (list); \
       item = dl_list_entry((item)->member.prev, type, member))

#ifdef __cplusplus
}
#endif

#endif
