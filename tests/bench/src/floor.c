/* The floor of every ratio: a process that does nothing. */
int main(void) { return 0; }
