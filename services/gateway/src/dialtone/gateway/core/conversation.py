"""The items of a conversation, in order."""

from __future__ import annotations

from collections.abc import Iterator

from .items import Content, FunctionCallItem, FunctionCallOutputItem, InputImage, InputText, Item, OutputText


def size_of(item: Item) -> int:
    """About how many bytes an item holds: its texts and images, in UTF-8."""
    if isinstance(item, FunctionCallItem):
        texts = [item.name, item.arguments]
    elif isinstance(item, FunctionCallOutputItem):
        texts = [item.output]
    else:
        texts = [_text(part) for part in item.content]
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _text(part: Content) -> str:
    if isinstance(part, InputImage):
        return part.image_url
    return part.text if isinstance(part, InputText | OutputText) else part.transcript or ""


class Conversation:
    """Items by id, with their order. Inserting, replacing and removing keep the order true."""

    def __init__(self, items: list[Item]) -> None:
        self._items = {item.id: item for item in items}
        self._order = [item.id for item in items]
        self.size = sum(map(size_of, items))  # bytes

    def __iter__(self) -> Iterator[Item]:
        return (self._items[item_id] for item_id in self._order)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    def __len__(self) -> int:
        return len(self._order)

    def get(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    @property
    def last_id(self) -> str | None:
        return self._order[-1] if self._order else None

    def previous_id(self, item_id: str) -> str | None:
        """The id of the item before this one; None when it is the first."""
        at = self._order.index(item_id)
        return self._order[at - 1] if at else None

    def insert(self, item: Item, after: str | None) -> None:
        """Put a new item after the item `after`; at the front when that is None."""
        at = 0 if after is None else self._order.index(after) + 1
        self._order.insert(at, item.id)
        self._items[item.id] = item
        self.size += size_of(item)

    def append(self, item: Item) -> None:
        self._order.append(item.id)
        self._items[item.id] = item
        self.size += size_of(item)

    def replace(self, item: Item) -> None:
        self.size += size_of(item) - size_of(self._items[item.id])
        self._items[item.id] = item

    def remove(self, item_id: str) -> None:
        self._order.remove(item_id)
        self.size -= size_of(self._items.pop(item_id))
