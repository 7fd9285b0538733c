p: {nothing: null, text: words, number: 5}
