#include "core/queue.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <random>

using namespace cutwater::hw;

TEST_CASE("a queue gives back what was pushed, in order, round its end as often as one likes") {
  Queue<int, 3> queue;
  std::deque<int> model;
  std::mt19937_64 random{1};
  for (int i = 0; i < 1000; ++i) {
    CHECK(queue.is_empty() == model.empty());
    CHECK(queue.is_full() == (model.size() == 8));
    if (random() % 2 == 0 && !queue.is_full()) {
      queue.push(i);
      model.push_back(i);
    } else if (!queue.is_empty()) {
      CHECK(queue.front() == model.front());
      CHECK(queue.pop() == model.front());
      model.pop_front();
    }
  }
}
